#!/bin/bash
# Machines on another host: this one's libvirtd, through an sshd and through TLS of the test's own. What
# they are made from is brought there by libvirt alone, and nothing of it stays.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/system/machine.sh
. "$(dirname "$0")/machine.sh"
# shellcheck source=tests/system/libvirt-lib.sh
. "$(dirname "$0")/libvirt-lib.sh"

need_far() {
    need_libvirt
    start_sshd
    FAR=$(over_ssh)
    trap 'stop_sshd 2>/dev/null || :' EXIT
}
far() {
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$FAR" --set machine.type=pc --memory 32M \
        --image "disk:$RUN/disk" "$@"
}
pools() { virsh -c "$URI" pool-list --all --name | grep . || :; }
no_pools() { [ -z "$(pools)" ]; }
# what its libvirt has as the folder of this one's disks, from the daemon's side
there() { virsh -c "$URI" pool-dumpxml "cofferdam-$1" | sed -n 's:.*<path>\(.*\)</path>.*:\1:p'; }
all_gone_there() { all_gone && no_pools; }

test_a_disk_is_brought_there_and_boots() {
    need_far
    boots_at "$FAR"
    await 10 all_gone_there
}

test_it_is_driven_from_here() {
    need_far
    ID=$(far --detach --name driven --set machine.disk-size=8M)
    expect_equal "$(domains)" "cofferdam-$ID" domain
    expect_equal "$(pools)" "cofferdam-$ID" "its place"
    virsh -c "$URI" vol-list "cofferdam-$ID" >vols
    grep -q base0 vols || fail "no copy of its disk"
    grep -q disk0.qcow2 vols || fail "nothing over it"
    virsh -c "$URI" vol-info --pool "cofferdam-$ID" disk0.qcow2 | grep -q "8.00 MiB" || fail "its size"
    await 10 says driven "boot sector is here"
    type_to driven nn
    await 10 says driven 12
    cofferdam pause driven
    expect_equal "$(virsh -c "$URI" domstate "cofferdam-$ID" | head -n 1)" paused "libvirt's state"
    cofferdam resume driven
    await 10 has_figures driven
    capture cofferdam ps
    expect_out_has driven
    expect_out_lacks "libvirt:cofferdam-"
    capture cofferdam snapshot create driven
    expect_status 125
    expect_err_has "its disks are on another host, and go with it"
    capture cofferdam view driven
    expect_status 125
    expect_err_has "machine.display=window"
    # its daemon goes and comes: it ran on, and so does its console
    stop_libvirtd -9
    start_libvirtd
    await 15 pauses driven
    cofferdam resume driven
    type_to driven n
    await 10 says driven 123
    type_to driven q
    await 15 all_gone_there
}

test_what_is_ended_leaves_nothing_there() {
    its_turn root
    need_far
    far --detach --name one >out
    cofferdam kill one
    await 15 all_gone_there
    far --detach --name two >out
    cofferdam stop --time 1s two
    await 15 all_gone_there
    ID=$(far --detach --name three)
    kill -9 "$(field three monitor_pid)"
    await 15 no_domains
    await 15 no_pools
    cofferdam prune --force >out
    await 10 all_gone_there
    ID=$(far --detach --name four)
    MONITOR=$(field four monitor_pid)
    KEEPER=$(pgrep -P "$MONITOR" -f 'cofferdam-domain drive')
    kill -9 "$MONITOR" "$KEEPER" "$(pgrep -P "$KEEPER")"
    expect_equal "$(domains)" "cofferdam-$ID" "what is left"
    cofferdam prune --force >out
    await 10 all_gone_there
    virsh -c "$URI" domid "$(far --detach --name five | sed s/^/cofferdam-/)" >out
    virsh -c "$URI" destroy "$(domains)" >out
    await 15 all_gone_there
}

has_figures() { cofferdam stats --json "$1" | grep -q '"memory"'; }

# What another one of us has made there is not taken for ours.
test_another_one_s() {
    need_far
    virsh -c "$URI" define /dev/stdin <<XML >/dev/null
<domain type='qemu'><name>cofferdam-aaaaaaaaaaaa</name><uuid>c0ffe4da-0000-4000-8000-aaaaaaaaaaaa</uuid><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>
XML
    export LIBVIRT_DEFAULT_URI=$FAR
    capture cofferdam ps
    expect_out_has libvirt:cofferdam-aaaaaaaaaaaa
    cofferdam domain start "libvirt:cofferdam-aaaaaaaaaaaa@$FAR"
    cofferdam prune --force >out
    expect_equal "$(domains)" cofferdam-aaaaaaaaaaaa "after prune"
    cofferdam kill "libvirt:cofferdam-aaaaaaaaaaaa@$FAR"
    virsh -c "$URI" undefine cofferdam-aaaaaaaaaaaa >out
}

# The screen is a socket there that its host's other users cannot get to; virt-viewer, which this machine may not
# have, is told where, and finds it as the test does: in what libvirt there says of the domain.
test_its_screen_is_brought_by_ssh() {
    need_far
    local screen folder
    mkdir bin
    printf '#!/bin/sh\nprintf "%%s\\n" "$@"\n' >bin/virt-viewer
    chmod 0755 bin/virt-viewer
    ID=$(far --detach --name seen --set machine.display=window 2>err)
    capture env PATH="$PWD/bin:$PATH" "$COFFERDAM" view seen
    expect_status 0
    expect_equal "$(tr '\n' ' ' <"$T/out")" "--connect $FAR --domain-name cofferdam-$ID " "what virt-viewer is told"
    virsh -c "$FAR" dumpxml "cofferdam-$ID" >xml
    expect_equal "$(grep -c "<graphics" xml)" 1 screens
    ! grep "<graphics" xml | grep -q "port=" || fail "anybody there can connect to it"
    screen=$(sed -n "s/.*<graphics type='vnc' socket='\([^']*\)'.*/\1/p" xml)
    ! have root || screen=$RUN/lv/lib/${screen#/var/lib/libvirt/} # as its daemon has it mounted
    folder=$(stat -c %A "$(dirname "$screen")")
    [ "${folder:7:3}" = --- ] || fail "others can go to it: $folder"
    [ "$(./ssh -i key -p "$SSH_PORT" -o StrictHostKeyChecking=no "$(id -un)@127.0.0.1" nc -N -U "'$screen'" </dev/null | head -c 3)" = RFB ] ||
        fail "nothing answers at $screen"
    cofferdam kill seen
    await 15 all_gone_there
}

# What is refused for one of ours there can be had for a domain that is defined there.
test_snapshots_of_a_domain_defined_there() {
    its_turn user
    need_far
    qemu-img create -q -f qcow2 defined.qcow2 1M
    virsh -c "$URI" define /dev/stdin <<XML >out
<domain type='qemu'><name>defined</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$PWD/defined.qcow2'/><target dev='hda' bus='ide'/></disk>
<serial type='pty'/></devices></domain>
XML
    export LIBVIRT_DEFAULT_URI=$FAR
    cofferdam domain start "libvirt:defined@$FAR"
    cofferdam domain snapshot create "libvirt:defined@$FAR" one >out
    expect_equal "$(virsh -c "$URI" snapshot-list defined --name | tr -d '\n')" one "what virsh sees there"
    cofferdam kill "libvirt:defined@$FAR"
    cofferdam domain snapshot revert --force "libvirt:defined@$FAR" one
    expect_equal "$(virsh -c "$URI" domstate defined | head -n 1)" running "back to it"
    cofferdam domain snapshot rm --force "libvirt:defined@$FAR" one
    cofferdam kill "libvirt:defined@$FAR"
    virsh -c "$URI" undefine defined >out
    await 10 all_gone_there
}

# Its host goes: what is left there is removed when that answers again.
test_a_host_that_goes() {
    its_turn root
    need_far
    ID=$(far --detach --name left)
    await 10 says left "boot sector is here"
    stop_sshd
    capture cofferdam ps
    expect_out_has left
    capture cofferdam kill left
    expect_err_has "not cleaned up"
    expect_equal "$(domains)" "cofferdam-$ID" "what is left"
    run_sshd
    cofferdam prune --force >out
    await 10 all_gone_there
}

hang() { kill -STOP "$(cat "$RUN/libvirtd.pid")"; }
goes_on() { kill -CONT "$(cat "$RUN/libvirtd.pid")"; }

# Its host hangs: who kills it is answered, and what stays there is known and removed when it goes on.
test_a_host_that_hangs() {
    its_turn root
    need_far
    ID=$(far --detach --name hung)
    await 10 says hung "boot sector is here"
    trap 'goes_on; stop_sshd 2>/dev/null || :' EXIT
    hang
    capture timeout 60 "$COFFERDAM" kill hung
    cp out err "$T" 2>/dev/null || :
    expect_status 125
    expect_err_has "not cleaned up"
    expect_err_has "may still be there"
    goes_on
    expect_equal "$(pools)" "cofferdam-$ID" "what is left"
    capture cofferdam ps -a
    expect_out_has hung
    cofferdam prune --force >out
    await 10 all_gone_there
    # who would clear up is killed as well
    ID=$(far --detach --name lost)
    KEEPER=$(pgrep -P "$(field lost monitor_pid)" -f 'cofferdam-domain drive')
    hang
    kill -9 "$KEEPER" "$(pgrep -P "$KEEPER")"
    await 10 not_cleaned lost
    goes_on
    expect_equal "$(domains)" "cofferdam-$ID" "what is left"
    cofferdam prune --force >out
    await 10 all_gone_there
}
not_cleaned() { cofferdam inspect --json "$1" | grep -q "not cleaned up.*may still be there"; }

# It hangs before there is anything, and while it is brought there.
test_a_host_that_hangs_at_the_start() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo "takes 150 s: --long" >"$T/skip"; exit 77; }
    need_far
    trap 'goes_on; stop_sshd 2>/dev/null || :' EXIT
    hang
    capture far
    goes_on
    expect_status 125
    expect_err_has "libvirt does not answer"
    expect_err_has "127.0.0.1"
    await 10 all_gone_there
    head -c 500M /dev/urandom >large
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$FAR" --memory 32M --image "disk:$PWD/large" 2>err &
    run=$!
    await 20 some_pool
    hang
    STATUS=0
    wait "$run" || STATUS=$?
    goes_on
    expect_equal "$STATUS" 125 status
    [ -n "$(cofferdam ps -a -q)" ] || fail "nobody knows what is left"
    cofferdam prune --force >out
    await 10 all_gone_there
}
some_pool() { timeout 5 virsh -c "$URI" vol-list "$(pools)" 2>/dev/null | grep -q base0; }

# One that does not even hear is ended by the monitor.
test_its_helper_that_hangs() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo "takes 35 s: --long" >"$T/skip"; exit 77; }
    need_far
    ID=$(far --detach --name deaf)
    KEEPER=$(pgrep -P "$(field deaf monitor_pid)" -f 'cofferdam-domain drive')
    kill -STOP "$KEEPER" "$(pgrep -P "$KEEPER")"
    capture timeout 60 "$COFFERDAM" kill deaf
    expect_status 125
    expect_err_has "may still be there"
    await 5 gone_pid "$KEEPER"
    cofferdam prune --force >out
    await 10 all_gone_there
}

# A place there that cannot be opened now is not forgotten with what is in it.
test_its_place_there_in_trouble() {
    need_far
    local domain id=0123456789ab
    domain=$(dirname "$COFFERDAM")/cofferdam-domain
    undo_there() { "$domain" undo "$FAR" $id -; }
    place() {
        virsh -c "$URI" pool-define /dev/stdin <<XML >/dev/null
<pool type='dir'><name>cofferdam-$id</name><uuid>c0ffe4da-0000-4000-8000-$id</uuid><target><path>$PWD/place</path></target></pool>
XML
    }
    place # its folder was never made
    undo_there
    no_pools || fail "a place without a folder is left"
    place
    echo other >place
    capture undo_there
    expect_status 1
    expect_err_has "opening the place of its disks"
    expect_equal "$(pools)" "cofferdam-$id" "what is known"
    rm place
    mkdir place
    echo disk >place/base0
    undo_there
    no_pools || fail "its place is left"
    expect_no_file place
}

test_what_cannot_be_brought() {
    its_turn root
    need_far
    capture cofferdam run --boundary vm --accel tcg --set "machine.uri=$FAR" --image "disk:$PWD/none"
    expect_status 125
    expect_err_has none
    capture far --set machine.cdrom=/dev/null
    expect_status 125
    expect_err_has "neither a file nor a device"
    mkfifo fifo # which nobody writes to
    capture timeout 50 "$COFFERDAM" run --boundary vm --accel tcg --set "machine.uri=$FAR" --set machine.type=pc --memory 32M \
        --image "disk:$RUN/disk" --set "machine.cdrom=$PWD/fifo"
    expect_status 125
    expect_err_has "neither a file nor a device"
    # one that ends before its size says so, as one that shrinks does
    capture far --set machine.cdrom=/sys/kernel/uevent_seqnum
    expect_status 125
    expect_err_has "changed its size"
    qemu-img create -q -f qcow2 -b "$RUN/disk" -F raw leads.qcow2
    capture cofferdam run --boundary vm --accel tcg --set "machine.uri=$FAR" --image "disk:$PWD/leads.qcow2"
    expect_status 125
    capture far --set "machine.uri=qemu+ssh://$(id -un)@127.0.0.1:1/system?keyfile=$PWD/key&no_verify=1"
    expect_status 125
    expect_err_has "refused"
    await 10 all_gone_there
}

test_an_image_of_the_store() {
    its_turn root
    need_far
    need_machine
    stored() { cofferdam run --boundary vm --accel tcg --set "machine.uri=$FAR" --image small --memory 192M --cpus 1 "$@"; }
    printf 'one\ntwo\n' >given
    capture stored --copy-in "$PWD/given:/root/given" -- sh -c 'cat /root/given; echo err >&2; exit 7'
    cp out err "$T" 2>/dev/null || :
    expect_status 7
    expect_out_has two
    expect_err_has err
    head -c 1000000 /dev/urandom >in
    stored -- cat <in >out
    cmp in out || fail "other bytes came back"
    ID=$(stored --detach --name guest -- sleep 600)
    capture cofferdam exec guest -- sh -c 'echo in; exit 3'
    expect_status 3
    expect_out in
    cofferdam kill guest
    await 15 all_gone_there
}

# cert NAME EXTENSION: a key and a certificate in pki that ours signs.
cert() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "pki/$1key.pem" -out "$1.csr" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA pki/cacert.pem -CAkey pki/cakey.pem -CAcreateserial -days 2 \
        -extfile <(echo "$2") -out "pki/$1cert.pem" 2>/dev/null
}

# A libvirtd that listens with TLS, and lets in whom we have given a certificate.
test_through_tls() {
    need root openssl
    need_libvirt
    local lv=$RUN/lvt port remote
    port=$(free_port)
    mkdir pki
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ours -keyout pki/cakey.pem -out pki/cacert.pem 2>/dev/null
    cert server subjectAltName=IP:127.0.0.1
    cert client extendedKeyUsage=clientAuth
    printf '%s\n' 'listen_tls = 1' "tls_port = \"$port\"" 'listen_addr = "127.0.0.1"' "ca_file = \"$PWD/pki/cacert.pem\"" \
        "cert_file = \"$PWD/pki/servercert.pem\"" "key_file = \"$PWD/pki/serverkey.pem\"" >tls.conf
    root_libvirtd "$lv" "$(plain_qemu_conf)" -l -f "$PWD/tls.conf"
    URI="qemu+unix:///system?socket=$lv/run/libvirt-sock"
    await 60 virsh -c "$URI" list >/dev/null 2>&1
    # shellcheck disable=SC2064 # this one
    trap "kill $(cat "$lv/pid")" EXIT
    remote="qemu+tls://127.0.0.1:$port/system?pkipath=$PWD/pki"
    mkdir -p "$XDG_CONFIG_HOME/cofferdam/profiles"
    printf '[profile]\ninherit = contained\n[machine]\nuri = %s\n' "$remote" >"$XDG_CONFIG_HOME/cofferdam/profiles/team.ini"
    echoing theirs
    capture cofferdam ps
    expect_out_has libvirt:theirs
    expect_out_has qemu+tls:
    expect_err_empty
    cofferdam domain start "libvirt:theirs@$remote"
    cofferdam pause "libvirt:theirs@$remote"
    expect_equal "$(virsh -c "$URI" domstate theirs | head -n 1)" paused "libvirt's state"
    cofferdam resume "libvirt:theirs@$remote"
    at one "'libvirt:theirs@$remote'"
    exec {one}>one.keys
    await 10 watched 1
    await 10 answers $one one ab ab
    printf '\035d' >&$one
    await 10 gone_pid "$(cat one.pid)"
    exec {one}>&-
    virsh -c "$URI" destroy theirs >out
    virsh -c "$URI" undefine theirs >out
    FAR=$remote
    far --profile team --detach --name ours >out
    await 10 says ours "boot sector is here"
    type_to ours nn
    await 10 says ours 12
    cofferdam kill ours
    await 15 all_gone_there
    # whom nobody has given one is not let in
    mv pki/clientcert.pem pki/client.away
    mv pki/clientkey.pem pki/clientkey.away
    capture far
    expect_status 125
    mv pki/client.away pki/clientcert.pem
    mv pki/clientkey.away pki/clientkey.pem
    # nor is a host believed that another has signed
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=another -keyout key.pem -out pki/cacert.pem 2>/dev/null
    capture far
    expect_status 125
    expect_err_has "certificate"
    rm "$XDG_CONFIG_HOME/cofferdam/profiles/team.ini"
    await 10 all_gone_there
}

test_zy_the_daemon_goes() { daemon_goes; }

run_tests "$@"
