#!/bin/bash
# Whole machines through a libvirtd of the test's own: the session's as a user, the system's as root.
# The guest is a boot sector that is no Linux: it echoes its serial line, "n" counts, "q" switches off.
. "$(dirname "$0")/lib.sh"
export LIBVIRT_AUTOSTART=0 # the daemon is the test's own

# A libvirtd with folders of its own, once for the run; root's in a mount namespace of its own.
need_libvirt() {
    need libvirtd virsh qemu-system-x86_64 qemu-img
    [ "$(uname -m)" = x86_64 ] || { echo "needs an x86_64 machine" >"$T/skip"; exit 77; }
    [ -x "$(dirname "$COFFERDAM")/cofferdam-domain" ] || { echo "needs a build with libvirt" >"$T/skip"; exit 77; }
    start_libvirtd
    [ -e "$RUN/disk" ] || boot_sector >"$RUN/disk"
}

start_libvirtd() {
    if [ "$(id -u)" = 0 ]; then
        URI="qemu+unix:///system?socket=$RUN/lv/run/libvirt-sock"
        SOCKET=$RUN/lv/run/libvirt-sock
    else
        URI=qemu:///session
        SOCKET=$RUN/run/libvirt/libvirt-sock
    fi
    [ ! -e "$RUN/libvirtd.pid" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        setsid unshare -m --propagation private bash -c '
            B=$1/lv
            mkdir -p "$B"/{etc,run,lib,cache,log} /run/libvirt /var/{lib,cache,log}/libvirt
            [ ! -d /etc/libvirt ] || cp -a /etc/libvirt/. "$B/etc/"
            mkdir -p /etc/libvirt
            printf "%s\n" "user = \"root\"" "group = \"root\"" "dynamic_ownership = 0" "remember_owner = 0" \
                "security_driver = \"none\"" "cgroup_controllers = [ ]" "namespaces = [ ]" \
                "stdio_handler = \"file\"" >"$B/etc/qemu.conf"
            for d in etc:/etc/libvirt run:/run/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt log:/var/log/libvirt; do
                mount --bind "$B/${d%%:*}" "${d#*:}"
            done
            # Debian makes this account with its units, and its libvirtd does not begin without it
            for f in passwd group; do
                cp "/etc/$f" "$B/$f"
                mount --bind "$B/$f" "/etc/$f"
            done
            grep -q ^libvirt-qemu: /etc/passwd || echo "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin" >>/etc/passwd
            for g in libvirt-qemu kvm; do
                grep -q "^$g:" /etc/group || echo "$g:x:6405${#g}:" >>/etc/group
            done
            exec libvirtd -p "$B/pid"' bash "$RUN" >"$RUN/t/libvirtd.log" 2>&1 </dev/null &
    else
        mkdir -p "$XDG_CONFIG_HOME/libvirt"
        echo 'stdio_handler = "file"' >"$XDG_CONFIG_HOME/libvirt/qemu.conf"
        setsid libvirtd >"$RUN/t/libvirtd.log" 2>&1 </dev/null &
    fi
    echo $! >"$RUN/libvirtd.pid"
    await 20 test -S "$SOCKET"
    await 60 virsh -c "$URI" list >/dev/null 2>&1
}

stop_libvirtd() {
    kill "$@" "$(cat "$RUN/libvirtd.pid")" 2>/dev/null || :
    rm -f "$RUN/libvirtd.pid"
}

boot_sector() {
    local code=fa31c08ed88ed0bc007cea0f7c0000be597cac84c07405e83000ebf6bafd03eca80174f8baf803ec3c7174153c6e7405e81700ebe7fe066f7ca06f7ce80b00ebdbba0406b80020efebd250bafd03eca82074fb58baf803eec3626f6f7420736563746f7220697320686572650d0a0030
    local i bytes=
    for ((i = 0; i < ${#code}; i += 2)); do bytes+="\\x${code:i:2}"; done
    { printf '%b' "$bytes"; head -c 510 /dev/zero; } | head -c 510
    printf '\x55\xaa'
}

vm() {
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.type=pc --memory 32M \
        --image "disk:$RUN/disk" "$@"
}

# type_to NAME TEXT: at its console; who is at it stays until it ends, or is killed.
type_to() {
    printf '%s' "$2" >keys
    timeout -s KILL 1 "$COFFERDAM" attach "$1" <keys >/dev/null 2>&1 || :
}
says() { cofferdam logs "$1" 2>/dev/null | tr -d '\r\n' | grep -qF -e "$2"; }
field() { cofferdam inspect --json "$1" | sed -n "s/.*\"$2\": *\"\\{0,1\\}\\([0-9a-f]*\\).*/\\1/p" | head -n 1; }
domains() { virsh -c "$URI" list --all --name | grep . || :; }
no_domains() { [ -z "$(domains)" ]; }
no_machines() { [ -z "$(find "$XDG_STATE_HOME/cofferdam/machines" -mindepth 1 2>/dev/null)" ]; }
all_gone() { no_domains && no_machines && [ -z "$(cofferdam ps -a -q)" ]; }

test_it_boots_what_is_no_linux() {
    need_libvirt
    sum=$(sha256sum <"$RUN/disk")
    printf 'nnnq' >keys
    STATUS=0
    timeout 60 "$COFFERDAM" run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.type=pc --memory 32M \
        --set console.terminal=no --image "disk:$RUN/disk" <keys >out 2>err || STATUS=$?
    cp out err "$T" 2>/dev/null || :
    expect_equal "$STATUS" 0 status
    grep -q "boot sector is here" out || { cat out err; fail "it has not spoken"; }
    grep -q 123 out || { cat out; fail "it has not heard"; }
    expect_equal "$(sha256sum <"$RUN/disk")" "$sum" "the disk"
    await 10 all_gone
}

test_both_sides_see_it() {
    need_libvirt
    ID=$(vm --detach --name both)
    expect_equal "$(domains)" "cofferdam-$ID" domain
    virsh -c "$URI" dumpxml "cofferdam-$ID" >xml
    grep -q "<title>both</title>" xml
    grep -q "cofferdam:workload.*id='$ID'\\|cofferdam:workload.*id=\"$ID\"" xml || fail "not marked"
    cofferdam pause both
    expect_equal "$(virsh -c "$URI" domstate "cofferdam-$ID" | head -n 1)" paused "libvirt's state"
    cofferdam resume both
    virsh -c "$URI" suspend "cofferdam-$ID" >out
    await 2 state_is both paused
    virsh -c "$URI" resume "cofferdam-$ID" >out
    await 2 state_is both running
    capture cofferdam stats --json both
    expect_out_has memory
    await 5 says both "boot sector is here"
    virsh -c "$URI" destroy "cofferdam-$ID" >out
    await 10 all_gone
}
state_is() { cofferdam ps 2>/dev/null | grep -q "$1 *$2"; }

test_stop_and_kill() {
    need_libvirt
    vm --detach --name one >out
    capture cofferdam stop --time 1s one # it knows no ACPI
    expect_status 0
    vm --detach --name two >out
    capture cofferdam kill two
    expect_status 0
    vm --detach --name three --keep always >out
    type_to three q
    await 10 state_is_exited three
    cofferdam rm -f three
    await 10 all_gone
}
state_is_exited() { cofferdam ps -a | grep -q "$1 *exited 0"; }

test_refused() {
    need_libvirt
    capture cofferdam run --boundary vm -- true
    expect_status 125
    expect_err_has "disk:PATH"
    capture vm -- true
    expect_status 125
    expect_err_has "no"
    capture vm --set machine.gpu=passthrough
    expect_status 125
    expect_err_has "machine.gpu"
    capture vm --set machine.uri=qemu+ssh://elsewhere/system
    expect_status 125
    expect_err_has "this host alone"
    capture vm --network private
    expect_status 125
    capture vm --set "machine.uri=qemu+unix:///system?socket=$PWD/nowhere"
    expect_status 125
    expect_err_has "nowhere"
    await 10 all_gone
}

test_kill_9_of_everybody() {
    need_libvirt
    ID=$(vm --detach --name machine)
    kill -9 "$(field machine pid)"
    await 15 all_gone
    ID=$(vm --detach --name monitor)
    kill -9 "$(field monitor monitor_pid)"
    await 15 no_domains
    cofferdam prune --force >out
    await 10 all_gone
    ID=$(vm --detach --name helper)
    MONITOR=$(field helper monitor_pid)
    KEEPER=$(pgrep -P "$MONITOR" -f 'cofferdam-domain drive')
    kill -9 "$(pgrep -P "$KEEPER")"
    await 15 all_gone
    ID=$(vm --detach --name all)
    MONITOR=$(field all monitor_pid)
    KEEPER=$(pgrep -P "$MONITOR" -f 'cofferdam-domain drive')
    kill -9 "$MONITOR" "$KEEPER" "$(pgrep -P "$KEEPER")"
    expect_equal "$(domains)" "cofferdam-$ID" "what is left"
    cofferdam prune --force >out
    await 10 all_gone
}

test_libvirtd_is_killed_and_comes_back() {
    need_libvirt
    vm --detach --name stays >out
    await 5 says stays "boot sector is here"
    stop_libvirtd -9
    capture cofferdam ps
    expect_out_has stays
    expect_out_has running
    type_to stays nn
    await 5 says stays 12
    start_libvirtd
    await 10 pauses stays
    cofferdam resume stays
    type_to stays q
    await 15 all_gone
}
pauses() { cofferdam pause "$1" 2>/dev/null; }

test_snapshots_with_memory_and_clones() {
    need_libvirt
    vm --detach --name snap >out
    await 5 says snap "boot sector is here"
    type_to snap nn
    await 5 says snap 12
    cofferdam snapshot create --memory --name after-two snap
    cofferdam snapshot create --files --name files snap
    type_to snap nnn
    await 5 says snap 12345
    cofferdam snapshot restore --force after-two >out
    type_to snap n
    await 10 says snap 3
    capture cofferdam logs snap
    expect_out_lacks 4
    cofferdam clone --name twin after-two >out
    cofferdam clone --name fresh files >out
    type_to twin n
    await 10 says twin 3
    await 10 says fresh "boot sector is here"
    cofferdam kill snap twin fresh
    await 15 all_gone
    cofferdam snapshot rm --force after-two files
}

test_domains_of_others() {
    need_libvirt
    [ "$(id -u)" != 0 ] || { echo "needs the session's own socket" >"$T/skip"; exit 77; }
    cat >xml <<'XML'
<domain type='qemu'><name>stranger</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><serial type='pty'/></devices></domain>
XML
    virsh -c "$URI" create xml >out
    capture cofferdam ps
    expect_out_has libvirt:stranger
    cofferdam pause libvirt:stranger
    expect_equal "$(virsh -c "$URI" domstate stranger | head -n 1)" paused state
    capture cofferdam ps --json
    expect_out_has '"stranger"'
    cofferdam prune --force >out
    capture cofferdam rm --force libvirt:stranger
    expect_status 125
    expect_equal "$(domains)" stranger "after prune and rm"
    kill -STOP "$(cat "$RUN/libvirtd.pid")"
    capture cofferdam ps
    kill -CONT "$(cat "$RUN/libvirtd.pid")"
    expect_out_has "libvirt:stranger"
    expect_err_has "hangs"
    cofferdam kill libvirt:stranger
    await 10 no_domains
}

# Its folders are the run's; nothing of it is ours.
test_zy_the_daemon_goes() {
    [ ! -e "$RUN/libvirtd.pid" ] || { URI=none && stop_libvirtd; }
    rm -rf "$RUN/run/libvirt" "$RUN/lv"
}

run_tests "$@"
