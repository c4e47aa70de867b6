#!/bin/bash
# Machines with a kernel of their own, on QEMU: what they do, what is left of them, and what guests
# that mean ill get out of it. Debian's kernel comes from its package; emulation will do.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"

machine() { cofferdam run --boundary microvm --image small --memory 192M --cpus 1 "$@"; }

vmm_of() { qemu_of "$@"; }

test_a_command() {
    need_machine
    capture machine -- sh -c 'echo out; echo err >&2; exit 7'
    expect_status 7
    expect_out "out"
    expect_err_has "err"
    capture machine -- /nope
    expect_status 127
    capture machine -- /etc/passwd
    expect_status 126
    capture machine -- sh -c 'kill -9 $$'
    expect_status 137
    await 5 nothing_runs
}

test_streams() {
    need_machine
    head -c 3000000 /dev/urandom >in
    "$COFFERDAM" run --boundary microvm --image small --memory 192M --cpus 1 -- cat <in >out 2>err || fail "status $?"
    cmp in out || fail "other bytes came back"
}

test_its_own_kernel() {
    need_machine
    capture machine --name its-own -- sh -c 'uname -r; hostname; id -u; cat /etc/machine-id'
    expect_status 0
    expect_out_has "-cloud-amd64"
    expect_out_has "its-own"
    [ "$(head -n 1 out)" != "$(uname -r)" ] || fail "the host's kernel"
    prove_nested 1
    capture cofferdam plan --boundary microvm --image small --accel tcg -- true
    expect_out_has "tcg"
    capture cofferdam plan --explain --boundary microvm --image small --accel tcg -- true
    [ "$STATUS" = 0 ] || capture cofferdam plan --boundary microvm --image small --accel tcg -- true
    expect_out_has "security boundary"
}

# Its list of changes comes as text, in which not every name can stand as it is.
test_names_of_any_bytes_are_exported() {
    need_machine
    machine -d --name bytes -- sh -c 'mkdir -p /srv/of; n=$(printf "a\\\\x2fb\377"); echo one >"/srv/of/$n"; echo two >"/srv/$n"; : >/tmp/ready; exec sleep 1000' >/dev/null
    await 60 sh -c "\"$COFFERDAM\" exec bytes -- test -e /tmp/ready"
    capture cofferdam export bytes bytes.tar
    expect_status 0
    tar -xf bytes.tar srv
    expect_equal "$(cd srv && LC_ALL=C ls -b -- * of)" "$(mkdir like && cd like && n=$(printf 'a\\x2fb\377') && mkdir of && : >"$n" && : >"of/$n" && LC_ALL=C ls -b -- * of)" names
    expect_equal "$(cat srv/a* srv/of/a* | xargs)" "two one"
    cofferdam kill bytes >/dev/null
}

test_refused() {
    need_machine
    capture cofferdam run --boundary microvm -- true
    expect_status 125
    expect_err_has "--image"
    capture machine --mount .:/src -- true
    expect_status 125
    expect_err_has "--copy-in"
    capture machine --network host -- true
    expect_status 125
    if ! "$BUILD_DIR/tests/tools/kvm-works" 2>/dev/null; then
        capture cofferdam run --profile strong --image small -- true
        expect_status 125
        expect_err_has "--accel tcg"
        capture cofferdam run --profile strong --accel tcg --memory 192M --image small -- echo yes
        expect_status 0
        expect_out "yes"
    fi
}

test_exec_pause_signals() {
    need_machine
    ID=$(machine --detach --name worker -- sleep 600)
    capture cofferdam exec worker -- sh -c 'echo in; exit 3'
    expect_status 3
    expect_out "in"
    capture cofferdam exec --user nobody worker -- id -u
    expect_out 65534
    capture cofferdam ps
    expect_out_has microvm
    capture cofferdam stats --json worker
    grep -Eq '"guest_read": *[1-9]' out || { show_capture; fail "its disk's counters"; }
    grep -Eq '"guest_says_memory": *1[0-9]{8},' out || { show_capture; fail "what it says of its memory"; }
    grep -Eq '"guest_says_load1_milli": *[0-9]' out || { show_capture; fail "what it says of its load"; }
    capture cofferdam stats worker
    expect_out_has "ITS GUEST SAYS"
    expect_out_has " MiB free, load "
    cofferdam pause worker
    capture cofferdam ps
    expect_out_has paused
    cofferdam resume worker
    capture cofferdam exec worker -- true
    expect_status 0
    capture cofferdam stop worker
    expect_status 0
    await 5 nothing_runs
    capture cofferdam ps -a
    expect_out_lacks "$ID"
}

# What its kernel prints is not the workload's, and heard apart; a kept one's also after its end.
test_the_kernel_is_heard() {
    need_machine
    machine --detach --keep always --name heard -- sh -c 'echo mine; sleep 600' >id
    capture cofferdam logs --kernel heard
    expect_status 0
    grep -Eq '^\[ *[0-9]+\.[0-9]+\] ' out || { show_capture; fail "not a kernel's lines"; }
    expect_out_lacks mine
    cp out before
    cofferdam kill heard
    await 5 nothing_runs
    capture cofferdam logs --kernel heard
    expect_status 0
    cmp out before || fail "something else was kept"
    capture cofferdam logs --kernel --raw heard
    expect_status 125
    cofferdam rm --force heard
    cofferdam run --detach --name other -- sleep 600 >id
    capture cofferdam logs --kernel other
    expect_status 125
    expect_err_has "only a microVM"
    cofferdam kill other
}

test_files_go_in_and_out() {
    need_machine
    mkdir -p tree/sub
    head -c 300000 /dev/urandom >tree/sub/large
    echo small >tree/small
    capture machine --copy-in "$PWD/tree:/data" -- sh -c 'cat /data/small; wc -c </data/sub/large'
    expect_status 0
    expect_out_has small
    expect_out_has 300000
    machine --detach --name files -- sleep 600 >out
    cofferdam cp tree files:/root/tree
    cofferdam cp files:/root/tree back
    diff -r tree back || fail "other files came back"
    cofferdam kill files
}

# What QEMU is allowed, seen from outside.
test_the_jail() {
    need_machine
    ID=$(machine --detach --name jailed -- sleep 600)
    PID=$(vmm_of "$ID")
    [ -n "$PID" ] || fail "no QEMU"
    prove_jail "$PID" "etc initramfs kernel lib lib64 usr "
    cofferdam kill jailed
}

test_kill_9_of_qemu() {
    need_machine
    machine --name victim -- sleep 600 >out 2>err &
    CLIENT=$!
    await 60 is_running victim
    kill -9 "$(vmm_of "$(cofferdam ps --json | sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p' | head -n 1)")"
    STATUS=0
    wait $CLIENT || STATUS=$?
    expect_equal "$STATUS" 137 status
    grep -q "killed by signal 9" err || { cat err; fail "not said"; }
    await 5 nothing_runs
}
is_running() { cofferdam ps 2>/dev/null | grep -q "$1 *running"; }

test_kill_9_of_the_monitor() {
    need_machine
    ID=$(machine --detach --name orphan -- sleep 600)
    kill -9 "$(cofferdam inspect --json orphan | sed -n 's/.*"monitor_pid": *\([0-9]*\).*/\1/p' | head -n 1)"
    await 5 nothing_runs
    capture cofferdam ps -a
    expect_out_has lost
    cofferdam prune --force >out
    capture cofferdam ps -a
    expect_out_lacks "$ID"
}

test_kill_9_of_init_inside() {
    need_machine
    capture machine -- sh -c 'kill -9 1; echo still here'
    expect_status 0
    expect_out "still here"
}

test_a_full_disk() {
    need_machine
    capture machine --set resources.disk=8M -- sh -c 'dd if=/dev/zero of=/root/x bs=1M count=64 2>/dev/null; echo $?'
    expect_status 0
    expect_out 1
}

test_clones() {
    need_machine
    prove_clones 400
}

test_a_snapshot_of_a_paused_one_and_of_another_qemu() {
    need_machine
    machine --detach --name still -- sleep 600 >out
    cofferdam pause still
    capture cofferdam snapshot create still --name of-still
    expect_status 0
    capture cofferdam ps
    expect_out_has paused
    cofferdam resume still
    capture cofferdam exec still -- echo on
    expect_out on
    FILES=$XDG_STATE_HOME/cofferdam/snapshots/$(cofferdam snapshot list --quiet)/files
    chmod u+w "$FILES/machine"
    sed -i 's/^\([0-9]*\) [^ ]*/\1 0.0.1/' "$FILES/machine" # of the program
    capture cofferdam clone of-still
    expect_status 125
    expect_err_has "cannot be trusted to read it"
    cofferdam kill still
    cofferdam snapshot rm --force of-still
}

# While it boots it can be seen, asked and ended, and its monitor waits for nobody.
is_booting() { cofferdam ps 2>/dev/null | grep -q "$1 *starting"; }
test_while_it_boots() {
    need_machine
    programs_with hostile-init-0 # it boots for ever
    bad/cofferdam run --boundary microvm --image small --memory 192M --cpus 1 --name early -- sleep 600 >out 2>err &
    CLIENT=$!
    await 30 is_booting early
    capture timeout 10 "$COFFERDAM" inspect early
    expect_status 0
    capture timeout 10 "$COFFERDAM" exec early -- true
    expect_status 125
    capture timeout 10 "$COFFERDAM" kill early
    expect_status 0
    STATUS=0
    wait $CLIENT || STATUS=$?
    expect_equal "$STATUS" 137 status
    await 5 nothing_runs
    capture cofferdam ps -a
    expect_out_lacks early
}

test_warm() {
    need_machine
    prove_warm 400
    capture cofferdam plan --boundary microvm --image small --memory 192M --cpus 1 --set machine.warm=yes -- true
    expect_out_has "on the disk, its memory shared by all that begin from it"
    # another size has another beside it, and who only looks at a plan changes nothing
    find "$WARM" | sort >before
    for look in plan 'plan --json'; do
        # shellcheck disable=SC2086 # words
        capture cofferdam $look --boundary microvm --image small --memory 160M --cpus 1 --set machine.warm=yes -- true
        expect_status 0
    done
    find "$WARM" | sort | cmp before - || fail "a plan has changed the templates"
    capture warm --memory 160M -- true
    expect_status 0
    expect_equal "$(find "$WARM" -name memory | wc -l)" 2 templates
    [ -s "$MEMORY" ] || fail "another size has thrown it away"
    # made of what is there no more, it goes once there is a new one, and somebody else's stays
    name=${MEMORY%/memory}
    name=${name##*/}
    rest=${name#*-}
    mkdir "$WARM/${name%%-*}-0-${rest#*-}" "$WARM/0-$rest"
    capture warm -- true
    expect_status 0
    [ -d "$WARM/${name%%-*}-0-${rest#*-}" ] || fail "there was no new one"
    chmod -R u+w "$WARM/$name"
    rm -r "${WARM:?}/$name"
    capture warm -- true
    expect_status 0
    expect_equal "$(find "$WARM" -mindepth 1 -maxdepth 1 | wc -l)" 3 templates
    [ -d "$WARM/0-$rest" ] || fail "another's has gone"
    rm -r "$WARM/0-$rest"
    cofferdam image prune --cache 2>pruned >out
    grep -q 'templates: removed 2 of' pruned || { cat pruned; fail "not said"; }
    capture warm --memory 160M -- true
    expect_status 0
    # one that nobody can read is no reason not to start
    truncate -s 100 "$(find "$WARM" -name state)" 2>/dev/null || { chmod 600 "$(find "$WARM" -name state)"; truncate -s 100 "$(find "$WARM" -name state)"; }
    capture warm --memory 160M -- echo on
    expect_status 0
    expect_out on
    # nor one of which nobody can live: it fails once
    MEMORY=$(find "$WARM" -name memory)
    chmod 600 "$MEMORY"
    truncate -s 0 "$MEMORY"
    truncate -s 160M "$MEMORY"
    capture warm --memory 160M -- echo on
    expect_status 125
    expect_err_has "the next start boots"
    [ ! -e "$MEMORY" ] || fail "it is still there"
    capture warm --memory 160M -- echo on
    expect_status 0
    expect_out on
    [ -s "$MEMORY" ] || fail "no new one"
}

# The same with a chipset: it boots, and what it remembers is cloned as fast.
test_a_chipset() {
    need_machine
    local type
    for type in q35 pc; do
        capture machine --set "machine.type=$type" -- sh -c 'echo up; exit 3'
        expect_status 3
        expect_out up
    done
    prove_clones_with_files --set machine.type=q35
    capture machine --set machine.type=virt -- true
    expect_status 125
    expect_err_has "machine.type = virt"
}

# A Debian with systemd: PID 1 of namespaces of its own inside, with their control groups. What has booted
# for seconds is there again at once, each of them somebody else; README.md says how one is started.
debian_starts() {
    sed -n '/^    exec unshare/,/^    *exec .*init/s/^    //p' "$SOURCE_DIR/README.md" >start-systemd
    machine --image debian-systemd --memory 512M --set machine.type=q35 --user root --pids 4096 \
        --set "isolation.capabilities=$(sed -n 's/.*isolation.capabilities="\([^"]*\)".*/\1/p' "$SOURCE_DIR/README.md")" \
        --copy-in start-systemd:/start-systemd --detach --name debian -- sh /start-systemd >id
}
# in_debian NAME COMMAND…: where its systemd is PID 1.
# shellcheck disable=SC2016 # for the shell inside
in_debian() {
    local name=$1
    shift
    cofferdam exec "$name" -- sh -c 'for p in /proc/[0-9]*; do
        [ "$(readlink "$p/exe")" != /usr/lib/systemd/systemd ] || exec nsenter -t "${p#/proc/}" -p -m -C -- "$@"
    done' in "$@"
}
debian_is_up() { [ "$(in_debian debian systemctl is-system-running)" = running ]; }
test_a_debian_with_systemd() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo "needs --long" >"$T/skip"; exit 77; }
    need mmdebstrap
    need_machine
    local suite begin n how=(--mode=root)
    # shellcheck disable=SC1091
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [ "$(id -u)" = 0 ] || { need fakeroot fakechroot && how=(--mode=fakechroot); }
    mmdebstrap --quiet --variant=minbase "${how[@]}" --include=systemd-sysv,dbus "$suite" given.tar >"$T/mmdebstrap.log" 2>&1 ||
        { tail -n 1 "$T/mmdebstrap.log" >"$T/skip"; exit 77; }
    cofferdam image import given.tar debian-systemd >out 2>said
    rm given.tar
    debian_starts
    await 240 debian_is_up
    in_debian debian systemctl is-active dbus.service systemd-journald.service >out
    expect_equal "$(sort -u out)" active services
    in_debian debian systemd-run --quiet --unit=lasting sleep 3600
    capture cofferdam snapshot create debian --name of-debian
    expect_status 0
    begin=${EPOCHREALTIME/[.,]/}
    cofferdam clone of-debian --number 2 >ids
    echo "# two clones: $(((${EPOCHREALTIME/[.,]/} - begin) / 1000)) ms"
    for n in debian debian-1 debian-2; do
        capture in_debian "$n" sh -c 'systemctl is-system-running; systemctl is-active lasting; hostname'
        expect_out "running
active
$n"
        in_debian "$n" cat /etc/machine-id >>machine-ids
    done
    expect_equal "$(sort -u machine-ids | wc -l)" 3 machine-ids
    in_debian debian-1 systemctl stop lasting
    capture in_debian debian-2 systemctl is-active lasting
    expect_out active
    cofferdam ps --quiet | xargs "$COFFERDAM" kill >/dev/null
    await 5 nothing_runs
    cofferdam snapshot rm --force of-debian
}

# What it changes goes to a disk without a name: more than its memory holds, no more than was said, alone in
# each clone, and gone with it.
test_a_scratch_disk() {
    need_machine
    [ -x /usr/sbin/mke2fs ] || need mke2fs
    scratch() { machine --set machine.scratch=disk --set resources.disk=300M "$@"; }
    capture scratch --report -- sh -c 'dd if=/dev/zero of=/big bs=1M count=210 2>/dev/null && echo it fits
        dd if=/dev/zero of=/more bs=1M count=200 2>/dev/null || echo no further; rm /more; echo on >/small; cat /small; exit 4'
    expect_status 4
    expect_out "it fits
no further
on"
    expect_err_has "/big"
    expect_equal "$(find "$XDG_CACHE_HOME/cofferdam/blanks" -type f | wc -l)" 1 "files beside the disk that was"
    scratch --detach --name disked -- sh -c 'echo before >/root/f; head -c 300000 /dev/urandom >/root/large; sync; echo ready; sleep 600' >id
    await 30 disked_is_ready
    cofferdam cp disked:/root/large large
    PID=$(vmm_of "$(cat id)")
    expect_equal "$(awk '/^Max file size/ { print $4 }' "/proc/$PID/limits" 2>/dev/null || echo 314572800)" 314572800 "bytes of a file"
    capture cofferdam snapshot create disked --name of-disked
    expect_status 0
    capture cofferdam exec disked -- sh -c 'echo after >/root/f; rm /root/large; sync'
    expect_status 0
    rm -r "$XDG_CACHE_HOME/cofferdam/blanks" # made again
    capture cofferdam clone of-disked --number 2
    expect_status 0
    for n in disked-1 disked-2; do
        capture cofferdam exec "$n" -- sh -c "cat /root/f; echo $n >/root/f; sync; cat /root/f"
        expect_out "before
$n"
        cofferdam cp "$n:/root/large" "large-$n"
        cmp large "large-$n" || fail "another file is in the clone"
    done
    capture cofferdam exec disked -- sh -c 'cat /root/f; ls /root'
    expect_out "after
f"
    capture cofferdam diff disked-1
    expect_out_has "+ /root/large"
    cofferdam ps --quiet | xargs "$COFFERDAM" kill >/dev/null
    await 5 nothing_runs
    cofferdam snapshot rm --force of-disked
    # a template is of a disk that nobody has written to
    for n in 1 2; do
        capture scratch --set machine.warm=yes -- sh -c 'ls /root; echo x >/root/x; ls /root'
        expect_status 0
        expect_out x
    done
    capture machine --set machine.scratch=disk --set resources.disk= -- true
    expect_status 125
    expect_err_has "resources.disk says how large"
    capture machine --boundary container --image host --set machine.scratch=disk -- true
    expect_status 125
}
disked_is_ready() { cofferdam logs disked | grep -q ready; }

# programs_with TOOL: ours in bad/, with another PID 1 for guests.
programs_with() {
    rm -rf bad
    mkdir -p bad/share
    find "$(dirname "$COFFERDAM")" -maxdepth 1 -type f -name 'cofferdam*' ! -name cofferdam-init -exec cp -t bad {} +
    cp -r "$SOURCE_DIR/profiles/shipped" bad/share/profiles
    cp "$BUILD_DIR/tests/tools/$1" bad/cofferdam-init-readable
}

# hostile MODE SECONDS: a machine with that one.
hostile() {
    programs_with "hostile-init-$1"
    capture timeout 120 bad/cofferdam run --boundary microvm --image small --memory 192M --cpus 1 \
        --time-limit "$2" -- true
    expect_status 125
    await 5 nothing_runs
}

# A folder of the host is there as long as the machine is, and cannot be written to; nothing beside it is there.
test_shares() {
    need_kernel ''
    need_machine
    local release cloud
    release=$(cofferdam image kernel list | awk '$1 ~ /[0-9]-amd64$/ { print $1 }')
    cloud=$(cofferdam image kernel list | awk '$1 ~ /cloud-amd64$/ { print $1 }')
    mkdir -p "$T/shared/sub" "$T/shared-not"
    echo one >"$T/shared/file"
    echo secret >"$T/shared-not/secret"
    ln -s "$T/shared-not/secret" "$T/shared/out"
    ln -s ../../shared-not/secret "$T/shared/sub/up"
    share=(--set machine.shares=9p --set "machine.kernel=$release" --mount "$T/shared:/src")
    capture machine --set "machine.kernel=$release" --mount "$T/shared:/src" -- true
    expect_status 125
    expect_err_has "machine.shares=9p"
    capture machine --set machine.shares=9p --set "machine.kernel=$cloud" --mount "$T/shared:/src" -- true
    expect_status 125
    expect_err_has "9p"
    capture machine --set machine.shares=9p --set "machine.kernel=$release" --mount "$T/shared:/src:rw" -- true
    expect_status 125
    expect_err_has "may not write"
    capture machine --set machine.shares=9p --set "machine.kernel=$release" --mount "$T/shared/file:/src" -- true
    expect_status 125
    expect_err_has "is no folder"
    capture machine --set machine.shares=9p --set "machine.kernel=$release" --mount /:/host -- true
    expect_status 125
    expect_err_has "the host's processes are mounted below it"
    capture cofferdam plan --boundary microvm --image small "${share[@]}" -- true
    expect_out_has "weaker than a copy"
    "$COFFERDAM" run --detach --boundary microvm --image small --memory 192M --cpus 1 "${share[@]}" --name sharing -- sleep 600
    capture cofferdam exec sharing -- sh -c 'cat /src/file; cat /src/out /src/sub/up 2>/dev/null | grep -c secret'
    expect_out "one
0"
    echo two >"$T/shared/later"
    capture cofferdam exec sharing -- cat /src/later
    expect_out "two"
    capture cofferdam exec sharing -- sh -c 'echo x >/src/new; mount -o remount,rw /src; echo x >/src/new; rm -f /src/file; ls /src'
    [ ! -e "$T/shared/new" ] && [ -e "$T/shared/file" ] || fail "it was written to"
    capture cofferdam snapshot create sharing --name of-sharing
    [ "$STATUS" != 0 ] || fail "a snapshot of a machine with shares"
    cofferdam kill sharing
    await 5 nothing_runs
    # with so many devices before it the agent's has a number of two digits
    for n in 1 2 3 4 5 6 7; do share+=(--mount "$T/shared:/src$n"); done
    capture machine "${share[@]}" --set machine.scratch=disk --time-limit 60s -- cat /src7/file
    expect_out one
}

# servers_of NAME: those that serve its folders. And of one, what it is allowed and what it sees.
servers_of() { pgrep -f "virtiofsd --fd=3" -P "$(cofferdam inspect --json "$1" | sed -n 's/.*"monitor_pid": *\([0-9]*\).*/\1/p' | head -n 1)"; }
servers_have_gone() { ! ps -p "$(echo $SERVERS | tr ' ' ',')" >pids; }
prove_server() {
    prove_jail "$1" "$(ls "$2" | tr '\n' ' ')" # it has made the folder its root
    expect_equal "$(awk '/^Seccomp_filters:/ { print $2 }' "/proc/$1/status")" 2 "filters, ours and its own"
    [ "$(id -u)" != 0 ] || expect_equal "$(stat -L -c %i "/proc/$1/root")" "$(stat -c %i "$2")" "its root"
}

# Nothing of the host's processes comes with a folder that is served, however deep it is mounted there.
test_shares_without_processes() {
    [ -x /usr/lib/qemu/virtiofsd ] || need virtiofsd
    need_machine
    capture machine --runtime qemu --set machine.shares=virtiofs --mount /:/host -- true
    expect_status 125
    expect_err_has "the host's processes are mounted below it"
    await 5 nothing_runs
}

# What else it is handed by descriptor comes before and behind them.
test_shares_beside_disks_and_a_network() {
    [ -x /usr/lib/qemu/virtiofsd ] || need virtiofsd
    need_machine
    local n shared=() cards=1
    if [ -w /dev/net/tun ]; then
        cards=2
        shared=(--set network.mode=private)
    fi
    for n in 1 2 3 4 5 6 7 8; do
        mkdir "$T/folder$n"
        chmod 755 "$T" "$T/folder$n"
        echo "folder $n" >"$T/folder$n/file"
        shared+=(--mount "$T/folder$n:/folder$n")
    done
    for n in 1 2; do { echo "disk $n"; head -c 65529 /dev/zero; } >"$T/disk$n.img"; done
    capture machine --runtime qemu --set machine.shares=virtiofs "${shared[@]}" \
        --set "machine.disk=$T/disk1.img $T/disk2.img" -- \
        sh -c 'for d in 1 2; do head -n 1 /dev/disk$d; done; cat /folder1/file /folder8/file; ls /sys/class/net | wc -l'
    expect_status 0
    expect_out "disk 1
disk 2
folder 1
folder 8
$cards"
    await 5 nothing_runs
}

# The same by virtiofsd, one for each folder, which is no boundary of its own word: its jail is.
test_served_shares() {
    [ -x /usr/lib/qemu/virtiofsd ] || need virtiofsd
    need_machine
    local n
    mkdir -p "$T/shared/sub" "$T/second" "$T/shared-not"
    chmod 755 "$T" "$T/shared" "$T/second"
    echo one >"$T/shared/file"
    chmod 600 "$T/shared/file" # which who has no capability in the guest reads as its own
    echo secret >"$T/shared-not/secret"
    ln -s "$T/shared-not/secret" "$T/shared/out"
    ln -s ../../shared-not/secret "$T/shared/sub/up"
    head -c 3000000 /dev/urandom >"$T/second/large"
    share=(--set machine.shares=virtiofs --mount "$T/shared:/src" --mount "$T/second:/more")
    capture machine "${share[@]}" --mount "$T/shared:/w:rw" -- true
    expect_status 125
    expect_err_has "may not write"
    capture machine --set machine.warm=yes "${share[@]}" -- true
    expect_status 125
    expect_err_has "no template"
    capture machine --runtime firecracker "${share[@]}" -- true
    expect_status 125
    capture cofferdam plan --boundary microvm --image small "${share[@]}" -- true
    expect_out_has "machine.shares = virtiofs: weaker than a copy"
    machine --detach --name served "${share[@]}" --set machine.scratch=disk --set resources.disk=64M -- sleep 600 >id
    SERVERS=$(servers_of served | xargs)
    expect_equal "$(echo "$SERVERS" | wc -w)" 2 servers
    prove_server "${SERVERS% *}" "$T/shared"
    prove_server "${SERVERS#* }" "$T/second"
    capture cofferdam exec served -- sh -c 'cat /src/file; cat /src/out /src/sub/up 2>/dev/null | grep -c secret; md5sum </more/large'
    expect_out "one
0
$(md5sum <"$T/second/large")"
    echo two >"$T/shared/later"
    capture cofferdam exec served -- cat /src/later
    expect_out two
    capture cofferdam exec served -- sh -c 'echo x >/src/new; mount -o remount,rw /src; echo x >/src/new; rm -f /src/file; chmod 777 /src/file; ls /src'
    [ ! -e "$T/shared/new" ] && [ -e "$T/shared/file" ] || fail "it was written to"
    expect_equal "$(stat -c %a "$T/shared/file")" 600 mode
    capture machine "${share[@]}" --user 7 -- sh -c 'stat -c %u:%g /src/file; cat /src/file'
    expect_out "7:7
one"
    capture cofferdam snapshot create served --name of-served
    [ "$STATUS" != 0 ] || fail "a snapshot of a machine with shares"
    cofferdam kill served
    await 5 nothing_runs
    await 5 servers_have_gone
}

# Without it the guest would wait for ever; neither outlives the other, nor the monitor.
test_kill_9_of_who_serves() {
    [ -x /usr/lib/qemu/virtiofsd ] || need virtiofsd
    need_machine
    mkdir -p "$T/shared"
    chmod 755 "$T" "$T/shared"
    share=(--set machine.shares=virtiofs --mount "$T/shared:/src")
    machine "${share[@]}" --name victim -- sh -c 'while ls /src; do :; done' >out 2>err &
    CLIENT=$!
    await 60 is_running victim
    SERVERS=$(servers_of victim)
    kill -9 "$SERVERS"
    STATUS=0
    wait $CLIENT || STATUS=$?
    expect_equal "$STATUS" 137 status
    grep -q "virtiofsd, which served it $T/shared, was killed by signal 9" err || { cat err; fail "not said"; }
    await 5 nothing_runs
    machine "${share[@]}" --name second -- sleep 600 >out 2>err &
    CLIENT=$!
    await 60 is_running second
    SERVERS=$(servers_of second)
    kill -9 "$(vmm_of "$(cofferdam ps --json | sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p' | head -n 1)")"
    wait $CLIENT || STATUS=$?
    grep -q "qemu was killed by signal 9" err || { cat err; fail "not said"; }
    await 5 servers_have_gone
    machine "${share[@]}" --detach --name third -- sleep 600 >id
    SERVERS=$(servers_of third)
    kill -9 "$(cofferdam inspect --json third | sed -n 's/.*"monitor_pid": *\([0-9]*\).*/\1/p' | head -n 1)"
    await 5 nothing_runs
    await 5 servers_have_gone
}

reading_is_ready() { cofferdam logs reading 2>/dev/null | grep -q ready; }

# The program itself could not write them; what they are not is refused.
test_further_disks() {
    need_machine
    local before pid fd open=0
    prove_further_disks --runtime qemu
    capture cofferdam plan --boundary microvm --image small --set "machine.disk=$T/one.img" -- true
    expect_out_has "/dev/disk1 is $T/one.img, read-only"
    before=$(held)
    further --detach --name reading -- sh -c 'echo ready; sleep 600' >id
    await 30 reading_is_ready
    pid=$(vmm_of "$(cat id)")
    if [ "$(id -u)" = 0 ]; then # the program itself could not write
        for fd in "/proc/$pid/fd"/*; do
            case $(readlink "$fd") in
            "$T"/*.img)
                expect_equal "$(awk '/^flags:/ { print $2 % 10 }' "/proc/$pid/fdinfo/${fd##*/}")" 0 "how it is open"
                open=$((open + 1))
                ;;
            esac
        done
        [ "$open" -ge 2 ] || fail "it has $open of the two files"
        [ ! -e "/proc/$pid/root/proc/self" ] || fail "it has a way to open them anew"
    fi
    capture cofferdam snapshot create reading --name of-reading
    expect_status 125
    expect_err_has "no snapshot of it can be taken"
    cofferdam kill reading
    await 5 nothing_runs
    expect_equal "$(held)" "$before" "the host's files"
    if command -v qemu-img >/dev/null; then
        qemu-img create -q -f qcow2 "$T/a.qcow2" 1M
        capture machine --runtime qemu --set "machine.disk=$T/a.qcow2" -- true
        expect_status 125
        expect_err_has "qemu-img convert -O raw"
    fi
    capture machine --runtime qemu --set "machine.disk=$T" -- true
    expect_status 125
    expect_err_has "machine.disk"
    capture machine --runtime qemu --set "machine.disk=$T/none.img" -- true
    expect_status 125
    expect_err_has "none.img"
    ln -s "$T/one.img" "$T/link"
    capture machine --runtime qemu --set "machine.disk=$T/link" --set machine.warm=yes -- true
    expect_status 125
    expect_err_has "no template"
    # all there is room for, beside the other devices
    capture machine --runtime qemu --set machine.scratch=disk --set resources.disk=64M \
        --set "machine.disk=$(printf "$T/one.img %.0s" 1 2 3 4 5 6 7)$T/two,readonly=off.img" \
        -- head -n 1 /dev/disk8
    expect_status 0
    expect_out "the second"
}

test_guests_that_never_answer() {
    need_machine
    hostile 0 4s
    expect_err_has "has not answered"
    hostile 1 4s
    expect_err_has "has not answered"
}

test_a_guest_that_panics() {
    need_machine
    hostile 2 60s
    expect_err_has "Kernel panic"
}

test_a_guest_that_floods_the_console() {
    need_machine
    hostile 3 5s
    expect_err_has "has not answered"
}

test_guests_that_lie() {
    need_machine
    local mode
    for mode in 4 5 6 8; do
        hostile $mode 60s
        expect_err_has "protocol"
    done
}

# Its lie comes with its word that the command runs, before anybody has heard of either.
test_a_guest_that_lies_when_it_starts() {
    need_machine
    programs_with lying-init
    capture timeout 60 bad/cofferdam run --boundary microvm --image small --memory 192M --cpus 1 -- lie twice
    expect_status 137
    expect_err_has "protocol"
    await 5 nothing_runs
}

lies_are_named() { cofferdam inspect liar | grep -q "broke the protocol"; }

late_is_asked_for() { cofferdam inspect liar | grep -q "lie late"; }
late_was_ended() { cofferdam inspect liar | grep -q "that ended with status 143: lie late"; }
client_is_gone() { ! kill -0 "$CLIENT" 2>/dev/null; }

# All of it to one machine, but for what ends it.
test_a_guest_that_lies_of_what_it_is_asked() {
    need_machine
    programs_with lying-init
    local how
    bad/cofferdam run --detach --keep always --name liar --boundary microvm --image small --memory 192M --cpus 1 -- lie not >id
    for how in cut device up absolute nul through nothing error; do
        capture timeout 20 "$COFFERDAM" cp "liar:/$how" "came-$how"
        expect_status 125
        ! grep -q $'\033' err || fail "its escape sequences come through"
    done
    [ ! -e up ] && [ ! -e came-through/up ] && [ ! -e /tmp/up ] || fail "a name has led elsewhere"
    expect_equal "$(find came-* ! -type d ! -type l | wc -l)" 0 files
    capture timeout 20 "$COFFERDAM" exec liar -- lie cannot
    expect_status 125
    ! grep -q $'\033' err || fail "its escape sequences come through"
    capture timeout 20 "$COFFERDAM" exec liar -- lie ends
    expect_status 5
    capture timeout 20 "$COFFERDAM" stats liar
    expect_status 0
    expect_out_lacks 18446744073709551615
    # what has not begun need not be waited for, and hears of it if it begins yet
    "$COFFERDAM" exec --no-tty liar -- lie late >out 2>err &
    CLIENT=$!
    await 10 late_is_asked_for
    kill -TERM $CLIENT
    await 5 client_is_gone
    STATUS=0
    wait $CLIENT || STATUS=$?
    expect_equal "$STATUS" 143 status
    capture timeout 20 "$COFFERDAM" cp liar:/begin came-begin
    expect_status 125
    await 5 late_was_ended
    capture timeout 20 "$COFFERDAM" exec liar -- lie twice
    await 5 nothing_runs
    await 5 lies_are_named
    cofferdam rm --force liar
}

# It is waited for, but not for ever; what it says later is no answer to anything else.
test_a_guest_that_never_rests() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo "needs --long" >"$T/skip"; exit 77; }
    need_machine
    programs_with lying-init
    bad/cofferdam run --detach --name mute --boundary microvm --image small --memory 192M --cpus 1 -- lie not >id
    capture timeout 100 "$COFFERDAM" snapshot create mute --name of-mute
    expect_status 125
    expect_err_has "has not come to rest within 25 s"
    capture timeout 20 "$COFFERDAM" snapshot create mute --name of-mute
    expect_status 125
    expect_err_has "has not answered yet"
    capture cofferdam snapshot list
    expect_out_lacks of-mute
    capture timeout 20 "$COFFERDAM" exec mute -- lie ends
    expect_status 5
    cofferdam rm --force mute
}

test_a_guest_that_leaves() {
    need_machine
    hostile 7 60s
    expect_err_has "turned itself off"
}

run_tests "$@"
