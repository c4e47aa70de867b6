# shellcheck shell=bash
# What is proved of every program that is driven through an HTTP API, against the stand-in for it with its made-up
# guest. A script sets VMM (its name), WORDS (its first arguments), REQUESTS (the paths of a start, in their order),
# FAULT (how it says a made-up fault), FILTERS (of system calls: its own and ours), WRITES (files it may write beside) and OWN (tests of its own), and sources this.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"

fake() { fake_vmm "$VMM" "$@"; }
fc() { faked "$VMM" "$@"; }

vmm_of_this() { pgrep -f "$PWD/bin/$VMM $WORDS" | head -n 1; }
nothing_runs() { ! pgrep -f "$PWD/bin/$VMM $WORDS" >pids; }
is_running() { cofferdam ps 2>/dev/null | grep -q "$1 *running"; }

test_a_command() {
    fake
    capture fc -- echo one two
    expect_status 0
    expect_out "one two"
    capture fc -- exit 7
    expect_status 7
    capture fc -- /nope
    expect_status 127
    echo through >in
    [ "$(fc -- cat <in)" = through ] || fail "not what went in"
    await 5 nothing_runs
}

test_every_refusal_is_one_sentence() {
    local n
    for n in "${!REQUESTS[@]}"; do
        fake "fault=$((n + 1))"
        capture fc -- true
        expect_status 125
        expect_err_has "${REQUESTS[n]}: $FAULT"
        expect_equal "$(wc -l <err)" 1 "lines"
        await 5 nothing_runs
    done
}

test_death_at_every_step_leaves_nothing() {
    local n
    for n in "${!REQUESTS[@]}"; do
        fake "die=$((n + 1))"
        capture fc -- true
        expect_status 125
        expect_err_has "$VMM ended with status 1"
        await 5 nothing_runs
        expect_equal "$(find "$XDG_RUNTIME_DIR/cofferdam" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*' | wc -l)" 0 "runtime folders"
        capture cofferdam ps -a
        expect_out_lacks microvm
    done
}

test_a_guest_that_never_calls() {
    fake mute=1
    capture fc --time-limit 2s -- true
    expect_status 125
    expect_err_has "has not answered"
    await 5 nothing_runs
}

test_exec_pause_signals() {
    fake
    ID=$(fc --detach --name worker -- sleep 600)
    capture cofferdam exec worker -- echo in
    expect_status 0
    expect_out in
    cofferdam pause worker
    capture cofferdam ps
    expect_out_has paused
    cofferdam resume worker
    capture cofferdam exec worker -- exit 3
    expect_status 3
    capture cofferdam inspect worker
    expect_out_has power
    capture cofferdam stop worker
    await 5 nothing_runs
    capture cofferdam ps -a
    expect_out_lacks "$ID"
}

test_the_jail() {
    fake
    fc --detach --name jailed -- sleep 600 >id
    PID=$(vmm_of_this)
    [ -n "$PID" ] || fail "no $VMM"
    if [ "$(id -u)" = 0 ]; then
        [ "$(awk '/^Uid:/ { print $2 }' "/proc/$PID/status")" != 0 ] || fail "it is root"
        for ns in user mnt pid net ipc uts cgroup; do
            [ "$(readlink "/proc/$PID/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ] || fail "the host's $ns namespace"
        done
        expect_equal "$(awk '$4 ~ /^rw/ { print $2 }' "/proc/$PID/mounts" | grep -v '^/dev/' | sort | tr '\n' ' ')" "/run$WRITES " "writable mounts"
        expect_equal "$(find "$XDG_CACHE_HOME/cofferdam/disks" -name '*.brief')" "" "names of files to write"
        expect_equal "$(ls "/proc/$PID/root/run" | tr '\n' ' ')" "api.sock metrics vsock vsock_1024 " "its sockets"
    fi
    expect_equal "$(awk '/^CapEff:/ { print $2 }' "/proc/$PID/status")" 0000000000000000 CapEff
    expect_equal "$(awk '/^CapBnd:/ { print $2 }' "/proc/$PID/status")" 0000000000000000 CapBnd
    expect_equal "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$PID/status")" 1 NoNewPrivs
    expect_equal "$(awk '/^Seccomp_filters:/ { print $2 }' "/proc/$PID/status")" "$FILTERS" "filters of system calls"
    expect_equal "$(awk '/^Seccomp:/ { print $2 }' "/proc/$PID/status")" 2 Seccomp
    cofferdam kill jailed
    await 5 nothing_runs
}

# What it counts from line to line is summed up.
test_its_metrics_are_in_stats() {
    fake
    fc --detach --name counted -- sleep 600 >id
    capture cofferdam stats --json counted
    expect_status 0
    python3 -c '
import json, sys
s = json.load(open(sys.argv[1]))["stats"][0]
assert s["guest_read"] >= 4096 and s["guest_read"] % 4096 == 0, s
assert s["guest_write"] == 0 and s["guest_in"] * 7 == s["guest_out"] * 5 > 0, s
# its guest boasts: no more is shown than the machine has
assert s["guest_says_memory"] == s["guest_says_available"] == 192 << 20, s' out || fail "not what was counted"
    cofferdam kill counted
    await 5 nothing_runs
}

test_kill_9_of_it() {
    fake
    fc --name victim -- sleep 600 >out 2>err &
    CLIENT=$!
    await 20 is_running victim
    kill -9 "$(vmm_of_this)"
    STATUS=0
    wait $CLIENT || STATUS=$?
    expect_equal "$STATUS" 137 status
    grep -q "$VMM was killed by signal 9" err || { cat err; fail "not said"; }
    await 5 nothing_runs
}

# Another program than the one the plan was made for answers.
test_a_version_that_has_changed() {
    fake
    sed -i "s/^version .*/version $OTHER/" "$XDG_CACHE_HOME/cofferdam/machine/$VMM"
    capture fc -- true
    expect_status 125
    expect_err_has "now, the plan was made for $OTHER"
}

# shellcheck disable=SC2034 # read by run_tests
TESTS="$OWN $(sed -n 's/^\(test_[a-z0-9_]*\)() *{.*/\1/p' "${BASH_SOURCE[0]}")"
run_tests "$@"
