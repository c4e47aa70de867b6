#!/bin/bash
# Odd surroundings: missing or foreign folders, few descriptors, full disks, strange masks, crowds.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# works [VARIABLE=VALUE…] -- OPTION…: a run in such surroundings does what it should.
works() {
    local variables=()
    while [ "$1" != -- ]; do variables+=("$1"); shift; done
    shift
    STATUS=0
    env "${variables[@]}" timeout --foreground 60 "$COFFERDAM" run "$@" -- sh -c 'echo fine; exit 3' >out 2>err </dev/null || STATUS=$?
    [ "$STATUS$(cat out)" = 3fine ] || { cat out err; fail "${variables[*]}: status $STATUS"; }
}

# refuses VARIABLE=VALUE… : a clear refusal, not a crash and not another place.
refuses() {
    STATUS=0
    env "$@" timeout --foreground 60 "$COFFERDAM" run -- true >out 2>err </dev/null || STATUS=$?
    [ "$STATUS" = 125 ] && [ -s err ] || { cat out err; fail "$*: status $STATUS"; }
}

test_all_256_statuses() {
    need userns
    local n status
    for ((n = 0; n < 256; n += ${COFFERDAM_LONG:-17})); do
        status=0
        cofferdam run -- sh -c "exit $n" </dev/null || status=$?
        expect_equal "$status" "$n" status
    done
}

test_deaths_by_signal() {
    need userns
    local n status
    for n in 1 2 3 4 6 7 8 9 10 11 12 13 14 15 24 25 31 34 64; do
        status=0
        cofferdam run -- sh -c "kill -$n \$\$; exit 1" </dev/null 2>/dev/null || status=$?
        expect_equal "$status" $((128 + n)) "signal $n"
    done
}

test_variables_are_missing() {
    need userns
    works -u HOME --
    works -u TERM --
    works -u PATH --
    works -u USER -u LOGNAME --
    works LANG=C LC_ALL=C --
    works LANG=xx_YY.nonsense LC_ALL= --
    works TERM=no-such-terminal --
    works HOME=relative/path --
    works HOME=/nonexistent/home --
    works HOME= XDG_CONFIG_HOME= XDG_STATE_HOME= --
    works TMPDIR=/nonexistent --
    STATUS=0
    env -i "$COFFERDAM" run -- true 2>err || STATUS=$?
    [ $STATUS = 0 ] || { cat err; fail "an empty environment: $STATUS"; }
}

test_runtime_folders() {
    need userns
    works XDG_RUNTIME_DIR="$T/not-yet" --
    works -u XDG_RUNTIME_DIR -- # in the usual place of this user, which may have to be made
    works XDG_RUNTIME_DIR=relative --
    rmdir "/tmp/cofferdam-$(id -u)" 2>/dev/null || :
    mkdir foreign && chmod 0500 foreign
    have root || refuses XDG_RUNTIME_DIR="$T/foreign"
    chmod 0700 foreign
    # what is somebody else's is not used, by whatever way it is reached
    if have root; then
        mkdir -p theirs && chown 1:1 theirs
        works XDG_RUNTIME_DIR="$T/theirs" --
        expect_equal "$(ls -A theirs)" "" "what was made in another's folder"
        ln -s theirs link && chown -h 1:1 link
        works XDG_RUNTIME_DIR="$T/link" --
        expect_equal "$(ls -A theirs)" "" "what was made in another's folder"
    fi
    mkdir real sub
    ln -s "$T/real" sub/cofferdam
    refuses XDG_RUNTIME_DIR="$T/sub"
    expect_err_link err
    expect_equal "$(ls -A real)" "" "what was made behind a link"
    # longer than a socket's address may be
    local long
    long=$T/$(printf 'x%.0s' {1..120})
    mkdir -m 0700 "$long"
    works XDG_RUNTIME_DIR="$long" --
}
expect_err_link() { grep -q link "$1" || fail "$(cat "$1")"; }

test_state_folders() {
    need userns
    mkdir -m 0500 closed
    works XDG_STATE_HOME="$T/closed" --
    have root || {
        STATUS=0
        XDG_STATE_HOME="$T/closed" cofferdam run --keep always -- true 2>err || STATUS=$?
        expect_equal "$STATUS" 125 "keeping where nothing can be kept"
        [ -s err ] || fail "without a word"
        works XDG_CACHE_HOME="$T/closed" --
    }
    works XDG_CACHE_HOME=/dev/null/x -- # the filter is compiled each time
    works XDG_CONFIG_HOME=/dev/null/x --
    XDG_STATE_HOME="$T/nowhere" capture cofferdam ps
    expect_status 0
    expect_no_file "$T/nowhere"
    XDG_STATE_HOME="$T/closed" capture cofferdam prune --force
    expect_status 0
}

test_a_full_disk() {
    need root userns
    mkdir full
    mount -t tmpfs -o size=64k,nr_inodes=32 none full
    mkdir -m 0700 full/run full/state full/cache
    head -c 1000000 /dev/zero >full/filling 2>/dev/null || :
    local status=0
    XDG_RUNTIME_DIR=$T/full/run XDG_STATE_HOME=$T/full/state XDG_CACHE_HOME=$T/full/cache \
        timeout 30 "$COFFERDAM" run --keep always -- true 2>err </dev/null || status=$?
    [ $status = 125 ] && [ -s err ] || { umount full; fail "status $status: $(cat err)"; }
    rm full/filling
    XDG_RUNTIME_DIR=$T/full/run XDG_STATE_HOME=$T/full/state XDG_CACHE_HOME=$T/full/cache cofferdam prune --force >/dev/null || { umount full; fail prune; }
    local left
    left=$(find full/run full/state ! -type d ! -name .names; find full/run/cofferdam full/state/cofferdam/workloads -mindepth 1 2>/dev/null | grep -v names || :)
    umount full
    expect_equal "$left" "" "what is left"
}

test_few_descriptors() {
    need userns
    local n status
    for n in 64 20 12 8 5; do
        status=0
        (ulimit -n $n && timeout 30 "$COFFERDAM" run -- sh -c 'exit 3' 2>err </dev/null) || status=$?
        [ $status = 3 ] || [ $status = 125 ] || fail "$n descriptors: status $status: $(cat err)"
        [ $status = 3 ] || [ -s err ] || fail "$n descriptors: 125 without a word"
        [ $n -lt 64 ] || expect_equal $status 3 "$n descriptors"
    done
}

test_few_of_everything() {
    need userns
    (ulimit -c unlimited 2>/dev/null; works --)
    (ulimit -s 256 && works --) || fail "a small stack"
}

test_a_working_folder_that_is_gone() {
    need userns
    mkdir gone && cd gone && rmdir ../gone
    STATUS=0
    "$COFFERDAM" run -- sh -c 'echo fine; exit 3' >"$T/out" 2>"$T/err" </dev/null || STATUS=$?
    expect_equal "$STATUS$(cat "$T/out")" 3fine
    capture "$COFFERDAM" run --mount . -- true
    expect_status 125
    [ -s "$T/err" ] || fail "without a word"
}

test_masks() {
    need userns
    local mask
    for mask in 000 077 777; do
        (umask $mask && XDG_RUNTIME_DIR="$T/run$mask" XDG_STATE_HOME="$T/state$mask" "$COFFERDAM" run --keep always \
            -- sh -c 'umask; touch /tmp/x; stat -c %a /tmp/x' </dev/null) >"out$mask" 2>err ||
            fail "umask $mask: $(cat err)"
        expect_equal "$(cat "out$mask")" $'0022\n644' "umask $mask inside"
        if find "run$mask" "state$mask" \( -type f -o -type d \) -perm /077 ! -path '*/scratch/*' | grep .; then
            fail "open to others under umask $mask"
        fi
        XDG_RUNTIME_DIR="$T/run$mask" XDG_STATE_HOME="$T/state$mask" cofferdam prune --force >/dev/null
    done
}

test_no_controlling_terminal() {
    need userns setsid
    local status=0
    setsid -w "$COFFERDAM" run -- sh -c 'exit 3' </dev/null >/dev/null 2>&1 || status=$?
    expect_equal "$status" 3
}

test_ignored_and_blocked_signals_stay_outside() {
    need userns
    (trap '' INT TERM HUP PIPE CHLD USR1; cofferdam run -- grep -E '^Sig(Blk|Ign)' /proc/self/status) >out </dev/null
    expect_equal "$(grep -c '0000000000000000$' out)" 2 "$(cat out)"
}

# What a workload leaves on its file system is looked through by its confined monitor.
test_the_monitor_survives_what_it_reports() {
    need userns python3
    capture cofferdam run --keep always --name deep -- python3 -c '
import os
for i in range(2000): open("/tmp/%d" % i, "w")
for i in range(50): os.symlink("/" + "x" * 4000, "/tmp/l%d" % i)
open(b"/tmp/\x1b]0;evil\x07\n\xff", "w")
os.truncate(os.open("/tmp/sparse", os.O_CREAT | os.O_RDWR), 1 << 40)
os.mkdir("/tmp/deep"); os.chdir("/tmp/deep")
for i in range(3000): os.mkdir("d" * 50); os.chdir("d" * 50)'
    expect_status 0
    capture cofferdam ps --all
    expect_out_has exited
    capture cofferdam report deep
    expect_status 0
    expect_out_lacks $'\e]'
    capture cofferdam rm --force deep
    expect_status 0
    # the same, asked for at once and to several
    cofferdam run -d --name wide -- sh -c 'seq -f /tmp/f%g 3000 | xargs touch; sleep 1000' >/dev/null
    await 20 sh -c "\"$COFFERDAM\" diff wide | grep -q f3000"
    cofferdam stop --time 0 wide >/dev/null
    capture cofferdam ps --all --quiet
    expect_out ""
}

test_ten_at_once() {
    need userns
    local i pids=()
    for i in {0..9}; do
        (
            set -e
            id=$(cofferdam run -d --name "ten$i" -- sleep 1000)
            [ "$(cofferdam exec "ten$i" -- echo "$i")" = "$i" ]
            cofferdam ps --quiet | grep -q "$id"
            cofferdam stop --time 0 "ten$i" >/dev/null || cofferdam kill "ten$i" >/dev/null
        ) >"log$i" 2>&1 &
        pids+=($!)
    done
    for i in {0..9}; do wait "${pids[i]}" || fail "$i: $(cat "log$i")"; done
    capture cofferdam ps --quiet
    expect_out ""
}

# A runtime's own threads count: with too few it dies, and of what, only registers tell.
test_runtimes_with_few_processes() {
    need userns cgroup
    local runtime
    for runtime in crun runc runsc; do
        capture cofferdam run --boundary "$([ $runtime = runsc ] && echo sandbox || echo container)" \
            --runtime $runtime --pids 5 -- true
        expect_status 125
        expect_err_has "resources.pids = 5: $runtime needs"
    done
    capture cofferdam run --pids 5 -- true
    expect_status 0
}

test_two_hundred_starts() {
    need userns
    local i pids=() count=200
    for ((i = 0; i < count; i++)); do
        "$COFFERDAM" run -- sh -c "exit $((i % 100 + 1))" </dev/null >/dev/null 2>"err$i" &
        pids+=($!)
    done
    for ((i = 0; i < count; i++)); do
        local status=0
        wait "${pids[i]}" || status=$?
        expect_equal "$status" $((i % 100 + 1)) "start $i: $(cat "err$i")"
    done
}

run_tests "$@"
