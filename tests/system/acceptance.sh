#!/bin/bash
# The same scripts behind every runtime, from one table: what a workload may count on.
# ACCEPT_RUNTIMES and ACCEPT_IMAGE choose others: a name of the store, host or dir:/PATH. Of machines with a kernel
# of their own qemu boots Debian's for clouds here, qemu-generic its other one; the others (firecracker,
# cloud-hypervisor) have scripts of theirs, which source this one.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/../screen/lib.sh"
. "$(dirname "$0")/machine.sh"
# shellcheck source=tests/system/libvirt-lib.sh
. "$(dirname "$0")/libvirt-lib.sh"

# A machine is the same whoever starts it, and slow where it is emulated: once, as a person.
MACHINES=''
[ "${1:-}" = root ] || MACHINES=qemu
[ -z "${COFFERDAM_LONG:-}" ] || MACHINES='qemu qemu-generic libvirt'
RUNTIMES=${ACCEPT_RUNTIMES:-native crun runc runsc $MACHINES}

# Everything a script starts goes through these: the runtime and the image stand here alone.
box() { cofferdam run --runtime "${RT%-generic}" --image "$IMAGE" "${MACHINE[@]}" "$@"; }
MACHINE=()
is_machine() { [ "${#MACHINE[@]}" != 0 ]; }
keep_box() { box --detach --keep always --name "$BOX" "$@" >"$T/id"; }
inside() { cofferdam exec "$BOX" -- "$@"; }
drop_box() { cofferdam rm --force "$BOX" >/dev/null; }

# A root of one static program, in the store once for each run.
make_image() {
    local busybox name
    IMAGE=${ACCEPT_IMAGE:-accept}
    [ "$IMAGE" = accept ] || return 0
    cofferdam image inspect accept >/dev/null 2>&1 && return 0
    busybox=$(type -P busybox) || need busybox
    if ldd "$busybox" >"$T/ldd" 2>&1; then
        echo 'needs a busybox that is static' >"$T/skip"
        exit 77
    fi
    mkdir -p rootfs/bin rootfs/etc rootfs/data
    cp "$busybox" rootfs/bin/busybox
    for name in sh ls cat echo id env pwd stat touch rm mkdir sleep test head wc tr stty hostname kill ps \
        seq true dd sort grep cut trap; do
        ln -s busybox "rootfs/bin/$name"
    done
    printf '%s\n' root:x:0:0::/root:/bin/sh app:x:1000:1000::/data:/bin/sh >rootfs/etc/passwd
    printf '%s\n' root:x:0: app:x:1000: >rootfs/etc/group
    cofferdam image import rootfs accept >/dev/null
}

# ---- the scripts -----------------------------------------------------------------------------------

accept_streams() {
    head -c 300000 /dev/urandom >random
    box -- cat <random >copy
    cmp random copy
    capture box -- sh -c 'echo out; echo err >&2'
    expect_out out
    expect_equal "$(cat "$T/err")" err stderr
    capture box -- sh -c 'echo gone >/dev/null && head -c 3 /dev/zero | wc -c | tr -d " "'
    expect_out 3
    expect_equal "$(box -- head -c 2000000 /dev/zero | wc -c)" 2000000 bytes
}

accept_stdin() {
    expect_equal "$(box -- wc -c </dev/null | tr -d ' ')" 0 'an empty input'
    expect_equal "$(printf 'a\nb\n' | box -- sh -c 'read -r x; echo "got $x"; cat')" "$(printf 'got a\nb')" lines
}

accept_status() {
    local status
    for status in 0 1 7 255; do
        capture box -- sh -c "exit $status"
        expect_status "$status"
        expect_err_empty
    done
}

accept_what_cannot_run() {
    capture box -- no-such-program
    expect_status 127
    capture box -- /nowhere/at/all
    expect_status 127
    capture box -- /etc/passwd
    expect_status 126
}

accept_signals() {
    capture box -- sh -c 'kill -9 $$'
    expect_status 137
    capture box -- sh -c 'kill -TERM $$'
    expect_status 143
}

accept_stop_and_kill() {
    keep_box -- sh -c 'trap "exit 42" TERM; echo ready; while :; do sleep 0.1; done'
    await 10 says ready
    cofferdam stop --time 10 "$BOX"
    capture cofferdam wait "$BOX"
    expect_status 42
    drop_box
    keep_box -- sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
    await 10 says ready
    cofferdam kill "$BOX"
    capture cofferdam wait "$BOX"
    expect_status 137
    drop_box
}

says() { cofferdam logs "$BOX" 2>/dev/null | grep -qF -e "$1"; }

accept_tty_size() {
    box --detach --tty --keep always --name "$BOX" -- sh -c \
        'stty size; trap "stty size; exit 0" WINCH; while :; do sleep 0.1; done' >/dev/null
    await 10 says '24 80'
    drop_box
}

# What looks on from a terminal of another size, and that terminal's changes, reach the workload.
accept_tty_resize() {
    need tmux
    box --detach --tty --keep always --name "$BOX" -- sh -c \
        'trap "stty size" WINCH; echo ready; while :; do sleep 0.1; done' >/dev/null
    await 10 says ready
    screen_start 91 21 cofferdam attach "$BOX"
    await 10 says '21 91'
    screen_size 77 19
    await 10 says '19 77'
    screen_stop
    drop_box
}

accept_users() {
    keep_box -- sleep 1000
    local own
    own=$(inside id -u)
    expect_equal "$(cofferdam exec --user "$own" "$BOX" -- id -u)" "$own" uid
    drop_box
    [ "$(id -u)" != 0 ] || expect_equal "$(box --user 1000 -- id -u)" 1000 'a number asked for'
}

accept_environment() {
    expect_equal "$(box --env 'A=b c' --env EMPTY= -- sh -c 'echo "$A[$EMPTY]${SECRET-none}"')" 'b c[]none' variables
    expect_equal "$(SECRET=1 box -- sh -c 'echo "${SECRET-none}"')" none 'the caller'\''s'
}

accept_workdir() {
    expect_equal "$(box --workdir /etc -- pwd)" /etc 'the working directory'
    keep_box -- sleep 1000
    expect_equal "$(cofferdam exec --workdir /etc "$BOX" -- pwd)" /etc 'a command'\''s'
    drop_box
}

accept_mounts() {
    mkdir shown && echo host >shown/file
    chmod 0777 shown
    if is_machine; then # a folder of the host is no folder of a guest's: refused, and what can be had instead
        capture box --mount "$PWD/shown:/mnt/shown" -- true
        expect_status 125
        expect_err_has "mend: --copy-in $PWD/shown:/mnt/shown"
        expect_equal "$(box --copy-in "$PWD/shown:/mnt/shown" -- sh -c 'cat /mnt/shown/file; echo no >/mnt/shown/new')" host content
        expect_no_file shown/new
        return
    fi
    expect_equal "$(box --mount "$PWD/shown:/mnt/shown" -- cat /mnt/shown/file)" host content
    capture box --mount "$PWD/shown:/mnt/shown" -- sh -c 'echo no >/mnt/shown/new'
    [ "$STATUS" != 0 ] || fail 'a read-only mount was written'
    expect_no_file shown/new
    box --mount "$PWD/shown:/mnt/shown:rw" -- sh -c 'echo yes >/mnt/shown/new'
    expect_equal "$(cat shown/new)" yes 'what was written'
}

accept_limits() {
    if is_machine; then # it has its size; who wants all of it and more may grind in there for long
        capture box --memory 96M --pids 40 -- sh -c \
            'head -n 1 /proc/meminfo | tr -dc 0-9; echo; for i in $(seq 60); do sleep 500 & done 2>/dev/null; echo all'
        [ "$(head -n 1 out)" -lt $((96 * 1024)) ] || fail 'it has more memory'
        expect_out_lacks all
        return
    fi
    need cgroup
    capture box --memory 96M -- sh -c 'x=$(head -c 400000000 /dev/zero | tr "\0" x); echo ${#x}'
    [ "$STATUS" != 0 ] || fail 'four times the limit was had'
    keep_box --memory 256M --pids 500 -- sleep 1000
    cofferdam stats --json "$BOX" >stats
    grep -q '"memory"' stats
    drop_box
}

# gVisor keeps no limit of its own, and counts its own threads too.
accept_pids_limit() {
    case $RT in *runsc) need cgroup ;; esac
    capture box --pids 400 -- sh -c 'i=0; while [ $i -lt 600 ]; do sleep 500 & i=$((i+1)); done; echo all'
    [ "$STATUS" != 0 ] || fail 'more processes than the limit'
    expect_out_lacks all
    capture box --pids 400 -- sh -c 'for i in 1 2 3 4 5; do sleep 0.01 & done; wait; echo all'
    expect_out all
}

# A guest is asked for what it is to do without.
update_of_a_guest() {
    cofferdam update --memory 128M "$BOX"
    cofferdam inspect "$BOX" | grep -q 'memory=128 MiB'
    capture cofferdam update --memory 130M --pids 501 "$BOX"
    expect_status 125
    expect_err_has 'pids: '
    cofferdam inspect "$BOX" | grep -q 'memory=128 MiB' # all or nothing
    cofferdam update --memory 192M "$BOX"
    capture inside echo on
    expect_out on
    drop_box
}

accept_update() {
    keep_box --memory 512M --pids 500 -- sleep 1000
    case $RT in firecracker | cloud-hypervisor) update_of_a_guest && return ;; esac
    if is_machine || ! have cgroup; then
        local why='memory: there is no control group'
        ! is_machine || why='this boundary cannot change limits'
        capture cofferdam update --memory 128M "$BOX"
        expect_status 125
        expect_err_has "$why"
        drop_box
        return
    fi
    "$COFFERDAM" events --json >events &
    local watcher=$!
    # it says nothing when it begins: another workload's end shows that it listens
    listens() { box -- true; grep -q exited events; }
    await 10 listens
    cofferdam update --memory 128M --pids 450 "$BOX"
    cofferdam inspect "$BOX" | grep -q 'memory=128 MiB'
    cofferdam inspect --json "$BOX" | grep -q '"memory=134217728",'
    await 10 grep -q '"limits":"memory=134217728 pids=450"\|"limits": "memory=134217728 pids=450"' events
    kill "$watcher"
    wait "$watcher" || :
    capture cofferdam update --memory 130M --pids 501 "$BOX"
    expect_status 125
    expect_err_has 'pids: '
    cofferdam inspect "$BOX" | grep -q 'memory=128 MiB' # all or nothing
    capture inside sh -c 'x=$(head -c 400000000 /dev/zero | tr "\0" x); echo ${#x}'
    [ "$STATUS" != 0 ] || fail 'three times the new limit was had'
    drop_box
}

accept_read_only() {
    capture box --set isolation.read-only=yes -- sh -c 'echo no >/etc/new'
    [ "$STATUS" != 0 ] || fail 'a read-only root was written'
    capture box --set isolation.read-only=yes -- sh -c 'echo yes >/tmp/new && cat /tmp/new'
    expect_out yes
}

accept_exec() {
    keep_box -- sleep 1000
    capture inside sh -c 'echo in; echo err >&2; exit 3'
    expect_status 3
    expect_out in
    expect_equal "$(printf 'a\0b' | inside wc -c | tr -d ' ')" 3 bytes
    local n # some end before their runtime has come back
    for n in 1 2 3 4 5 6 7 8 9 10; do expect_equal "$(inside echo "$n")" "$n" 'what a short one says'; done
    capture inside no-such-program
    expect_status 127
    drop_box
}

accept_exec_terminal() {
    keep_box -- sleep 1000
    capture "$ATTEND" -- "$COFFERDAM" exec --tty "$BOX" -- sh -c 'stty size; exit 4'
    expect_status 4
    if have tmux; then
        screen_start 93 22 cofferdam exec --tty "$BOX" -- \
            sh -c 'trap "stty size" WINCH; test -t 0 && stty size; while ! test -e /tmp/go; do sleep 0.1; done; exit 5'
        see '22 93'
        screen_size 71 18
        see '18 71'
        inside touch /tmp/go
        expect_end 5
        screen_stop
    fi
    capture inside sh -c 'test -t 0 || test -t 1 || echo none'
    expect_out none
    drop_box
}

accept_pause() {
    keep_box -- sh -c 'i=0; while :; do i=$((i+1)); echo $i >/tmp/count; done'
    await 10 inside test -s /tmp/count
    cofferdam pause "$BOX"
    cofferdam ps --json | grep -q paused
    cofferdam resume "$BOX"
    inside true
    drop_box
}

accept_cp() {
    keep_box -- sleep 1000
    head -c 100000 /dev/urandom >file
    cofferdam cp file "$BOX:/tmp/in"
    expect_equal "$(inside wc -c /tmp/in | cut -d' ' -f1)" 100000 'bytes that came in'
    inside sh -c 'mkdir /tmp/tree && echo a >/tmp/tree/a'
    cofferdam cp "$BOX:/tmp/in" out
    cmp file out
    cofferdam cp "$BOX:/tmp/tree" tree
    expect_equal "$(cat tree/a)" a 'a tree'
    drop_box
}

accept_diff() {
    keep_box -- sleep 1000
    inside sh -c 'echo new >/tmp/added'
    capture cofferdam diff "$BOX"
    expect_out_has added
    expect_out_lacks cofferdam-init
    inside sh -c 'rm /etc/group; echo changed >>/etc/passwd; echo x >/etc/hostname'
    cofferdam diff "$BOX" >all
    for what in '+ /tmp/added' '~ /etc/passwd' '- /etc/group'; do
        grep -qF -e "$what" all || { cat all; fail "diff lacks $what"; }
    done
    drop_box
}

# What changed by itself and ended by itself: the report has it, and so has diff.
accept_report() {
    capture box --keep always --name "$BOX" -- sh -c 'echo new >/etc/added; exit 3'
    expect_status 3
    capture cofferdam report "$BOX"
    expect_out_has /etc/added
    capture cofferdam diff "$BOX"
    expect_out_has /etc/added
    drop_box
}

accept_network_none() {
    expect_equal "$(box -- sh -c 'grep -c : /proc/net/dev || :' | tr -d ' ')" 1 'interfaces, lo alone'
}

accept_hostname() {
    expect_equal "$(box --name "$BOX" -- hostname)" "$BOX" 'the host name'
}

accept_many_processes() {
    # however long they take: in the end all have ended and are buried
    capture box -- sh -c 'd=0.01; for i in $(seq 50); do (sh -c "sleep $d &") ; done
        for i in $(seq 200); do ps | grep -q "sleep 0[.]01\|[Zz]ombie\|\[sleep\]" || exit 5; sleep 0.1; done; ps'
    expect_status 5
}

# ---- the table -------------------------------------------------------------------------------------

SCRIPTS='streams stdin status what_cannot_run signals stop_and_kill tty_size tty_resize users environment workdir mounts
limits pids_limit update read_only exec exec_terminal pause cp diff report network_none hostname many_processes'

accept() {
    RT=$1
    BOX=box-${RT##*/}-${2//_/-}
    need userns
    case $RT in
    native) ;;
    qemu | qemu-generic | firecracker | cloud-hypervisor)
        need_machine_of "$RT"
        local kind=cloud release
        [ "$RT" != qemu-generic ] || kind='[0-9]'
        release=$(cofferdam image kernel list | awk -v like="$kind-amd64$" '$1 ~ like { print $1 }')
        MACHINE=(--boundary microvm --memory 192M --cpus 1 --set "machine.kernel=$release")
        ;;
    libvirt)
        need_libvirt
        need_machine
        MACHINE=(--boundary vm --accel tcg --memory 192M --cpus 1 --set "machine.uri=$URI")
        ;;
    *) need "$RT" ;;
    esac
    make_image
    "accept_$2"
}

TESTS=${TESTS:-} # of who sources this
for runtime in $RUNTIMES; do
    for script in $SCRIPTS; do
        TESTS="$TESTS test_${script}_on_${runtime//[^a-z0-9]/_}"
        eval "test_${script}_on_${runtime//[^a-z0-9]/_}() { accept '$runtime' $script; }"
    done
done
case $RUNTIMES in *libvirt*)
    TESTS="$TESTS test_zy_the_daemon_goes"
    test_zy_the_daemon_goes() { daemon_goes; }
    ;;
esac

run_tests "$@"
