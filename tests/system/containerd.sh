#!/bin/bash
# Workloads behind containerd: the real one, started here in folders and on a socket of its own, with
# its runc and, through the same road, gVisor. io.containerd.kata.v2 differs in its name alone.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck source=tests/system/lib.sh
USERS=root
. "$(dirname "$0")/lib.sh"

# The test's own containerd, once for each run; it ends with the last test.
begin() {
    need root userns containerd ctr "$1"
    D=$RUN/containerd
    SOCKET=$D/sock
    if [ ! -e "$D/pid" ]; then
        mkdir -p "$D"
        printf '%s\n' 'version = 2' "root = \"$D/root\"" "state = \"$D/state\"" \
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]' \
            '[grpc]' "address = \"$SOCKET\"" '[ttrpc]' "address = \"$D/ttrpc\"" >"$D/config.toml"
        # this runsc has no network of its own on every kernel; cofferdam asks for none
        printf '#!/bin/sh\nexec %s --network=none "$@"\n' "$(type -P runsc)" >"$D/runsc"
        chmod 0755 "$D/runsc"
        setsid containerd -c "$D/config.toml" >"$D/log" 2>&1 </dev/null &
        echo $! >"$D/pid"
        make_image
    fi
    await 20 ctr -a "$SOCKET" version >/dev/null 2>&1
    case $1 in
    runc) RT=containerd:io.containerd.runc.v2,address=$SOCKET ;;
    runsc) RT=containerd:io.containerd.runc.v2,program=$D/runsc,address=$SOCKET ;;
    esac
    BOX=box-$1
}

make_image() {
    local busybox name
    busybox=$(type -P busybox) || need busybox
    mkdir -p rootfs/bin rootfs/etc rootfs/data
    cp "$busybox" rootfs/bin/busybox
    for name in sh cat echo id env pwd sleep stty hostname true grep head wc; do
        ln -s busybox "rootfs/bin/$name"
    done
    printf '%s\n' root:x:0:0::/root:/bin/sh app:x:1000:1000::/data:/bin/sh >rootfs/etc/passwd
    printf '%s\n' root:x:0: app:x:1000: >rootfs/etc/group
    chown 1000:1000 rootfs/data
    cofferdam image import rootfs behind >/dev/null
}

box() { cofferdam run --runtime "$RT" --image behind "$@"; }
listed() { ctr -a "$SOCKET" -n cofferdam "$1" ls -q; }
nothing_there() {
    expect_equal "$(listed containers)$(listed tasks)" '' 'what is left in containerd'
    ! grep -q cofferdam-roots /proc/self/mountinfo || fail 'a root is mounted yet'
}

behind_streams() {
    head -c 300000 /dev/urandom >random
    box -- cat <random >copy
    cmp random copy
    capture box -- sh -c 'echo out; echo err >&2; exit 7'
    expect_status 7
    expect_out out
    expect_equal "$(cat "$T/err")" err stderr
    capture box -- no-such-program
    expect_status 127
    capture box -- sh -c 'kill -9 $$'
    expect_status 137
    nothing_there
}

behind_words() {
    expect_equal "$(box --env 'A=b c' --workdir /data -- sh -c 'echo "$A $(pwd)"')" 'b c /data' words
    expect_equal "$(box --name "$BOX" -- hostname)" "$BOX" 'the host name'
    expect_equal "$(box -- sh -c 'grep -c : /proc/net/dev || :')" 1 'interfaces, lo alone'
    capture box --set isolation.read-only=yes -- sh -c 'echo no >/etc/new'
    [ "$STATUS" != 0 ] || fail 'a read-only root was written'
    mkdir -p shown && echo host >shown/file
    expect_equal "$(box --mount "$PWD/shown:/mnt/shown" -- cat /mnt/shown/file)" host 'a mount'
    expect_equal "$(box -- sh -c 'echo changed >/etc/passwd; cat /etc/passwd')" changed 'a change'
    expect_equal "$(box -- head -n 1 /etc/passwd)" root:x:0:0::/root:/bin/sh 'gone with it'
}

behind_exec() {
    box --detach --keep always --name "$BOX" -- sleep 1000 >/dev/null
    capture cofferdam exec "$BOX" -- sh -c 'echo in; exit 3'
    expect_status 3
    expect_out in
    expect_equal "$(cofferdam exec --env 'A=b c' --workdir /etc "$BOX" -- sh -c 'echo "$A $(pwd)"')" 'b c /etc' words
    capture cofferdam exec "$BOX" -- no-such-program
    expect_status 127
    capture "$ATTEND" -- "$COFFERDAM" exec --tty "$BOX" -- sh -c 'stty size; exit 4'
    expect_status 4
    cofferdam pause "$BOX"
    cofferdam ps --json | grep -q paused
    cofferdam resume "$BOX"
    cofferdam exec "$BOX" -- true
    cofferdam kill "$BOX"
    capture cofferdam wait "$BOX"
    expect_status 137
    cofferdam rm --force "$BOX" >/dev/null
    nothing_there
}

behind_terminal() {
    box --detach --tty --keep always --name "$BOX" -- sh -c 'stty size; sleep 1000' >/dev/null
    await 30 says '24 80'
    cofferdam rm --force "$BOX" >/dev/null
    nothing_there
}
says() { cofferdam logs "$BOX" 2>/dev/null | grep -qF -e "$1"; }

# kill -9 of our process that calls ctr, of the monitor, of containerd's shim, of the command's PID 1, of a ctr
# on its way: the next command tells the truth, prune leaves nothing, in containerd too.
member() { cofferdam inspect --json "$BOX" | sed -n "s/^ *\"$1\": *\([0-9]*\).*/\1/p" | head -1; }
phase() { cofferdam ps --all --json --filter "name=$BOX" | sed -n 's/^ *"phase": "\(.*\)".*/\1/p'; }
has_ended() { case $(phase) in exited | lost | '') return 0 ;; *) return 1 ;; esac; }
is_dead() { ! kill -0 "$1" 2>/dev/null; }
task_pid() { ctr -a "$SOCKET" -n cofferdam tasks ls | awk '$3 == "RUNNING" { print $2 }'; }
# the shim is the parent of the task's first process
shim_pid() { sed -n 's/^PPid:\t//p' "/proc/$(task_pid)/status"; }

struck() {
    local victim
    box --detach --keep always --name "$BOX" -- sleep 1000 >/dev/null
    victim=$("$@")
    [ "${victim:-0}" -gt 1 ] || fail "there is none: $*"
    kill -9 "$victim"
    await 30 has_ended
    cofferdam ps --all | grep -q "$BOX"
    cofferdam rm --force "$BOX" >/dev/null
    cofferdam prune --force >/dev/null
    expect_equal "$(cofferdam ps --all --quiet)" '' 'what is listed yet'
    await 10 is_dead "$victim"
    nothing_there
}

behind_strikes() {
    struck member monitor_pid
    struck member pid
    struck task_pid
    struck shim_pid
}

test_strikes_on_runc() { begin runc && behind_strikes; }
test_strikes_on_runsc() { begin runsc && behind_strikes; }

test_starts_are_struck() {
    begin runc
    local n
    for n in 5 25 60 110 170 240; do
        "$BUILD_DIR/tests/tools/kill-at" monitor "$n" kill "$COFFERDAM" run --runtime "$RT" --image behind -- true \
            </dev/null >"$T/said" 2>&1 || :
        ! cofferdam ps --all --json | grep -qE '"phase": "(running|starting)"' || fail "call $n: it is said to live"
        cofferdam prune --force >/dev/null
        (nothing_there) || fail "call $n: $(cat "$T/said")"
    done
}

# Nothing is asked of the container's files while it runs, and that is said.
test_what_it_cannot_do_is_refused() {
    begin runc
    box --detach --keep always --name "$BOX" -- sleep 1000 >/dev/null
    echo x >file
    capture cofferdam cp file "$BOX:/file"
    expect_status 125
    expect_err_has 'this boundary cannot copy files while it runs'
    capture cofferdam diff "$BOX"
    expect_status 125
    expect_err_has 'keeps no changes'
    capture cofferdam update --memory 100M "$BOX"
    expect_status 125
    expect_err_has 'this boundary cannot change limits'
    capture cofferdam snapshot create "$BOX"
    expect_status 125
    cofferdam rm --force "$BOX" >/dev/null
    nothing_there
}

test_streams_on_runc() { begin runc && behind_streams; }
test_words_on_runc() { begin runc && behind_words; }
test_exec_on_runc() { begin runc && behind_exec; }
test_terminal_on_runc() { begin runc && behind_terminal; }
test_streams_on_runsc() { begin runsc && behind_streams; }
test_words_on_runsc() { begin runsc && behind_words; }
test_exec_on_runsc() { begin runsc && behind_exec; }
test_terminal_on_runsc() { begin runsc && behind_terminal; }

# With runc root inside is nobody of the host's; gVisor's is kept from writing where the host's root would.
test_root_inside_is_not_root_outside() {
    begin runc
    expect_equal "$(box -- sh -c '[ "$(head -n 1 /proc/self/uid_map | (read -r _ out _; echo $out))" != 0 ] && echo other')" other 'the map'
    begin runsc
    mkdir -p shown
    capture box --mount "$PWD/shown:/mnt/shown:rw" -- true
    expect_status 125
    expect_err_has 'no user namespace'
}

test_what_cannot_be_handed_over_is_refused() {
    begin runc
    capture cofferdam run --runtime "$RT" --image host -- true
    expect_status 125
    expect_err_has 'only an image of the store'
    capture cofferdam run --runtime containerd:nonsense,program=/bin/true --image behind -- true
    expect_status 125
    expect_err_has 'program= goes with'
    capture cofferdam run --runtime kata --image behind -- true
    [ "$STATUS" != 0 ] || have containerd-shim-kata-v2
}

test_doctor_knows_kata() {
    need root
    cofferdam doctor >"$T/doctor" || :
    grep -q 'kata-runtime check' "$T/doctor"
}

test_zz_containerd_ends() {
    [ -e "$RUN/containerd/pid" ] || exit 0
    nothing_left=$(ctr -a "$RUN/containerd/sock" -n cofferdam containers ls -q)
    kill "$(cat "$RUN/containerd/pid")"
    expect_equal "$nothing_left" '' 'containers'
    rmdir /run/cofferdam-roots 2>/dev/null || :
}

run_tests "$@"
