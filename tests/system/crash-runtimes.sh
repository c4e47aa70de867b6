#!/bin/bash
# kill -9 behind OCI runtimes: of our process that calls them, of whatever they have started, of the runtime
# while it starts, and of the whole tree: the next command tells the truth, prune leaves nothing.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/system/strikes.sh
. "$(dirname "$0")/strikes.sh"

member() { cofferdam inspect --json "$1" | sed -n "s/^ *\"$2\": *\([0-9]*\).*/\1/p" | head -1; }
phase() { cofferdam ps --all --json --filter "name=$1" | sed -n 's/^ *"phase": "\(.*\)".*/\1/p'; }
is_dead() { ! kill -0 "$1" 2>/dev/null; }
has_ended() { case $(phase "$1") in exited | lost | '') return 0 ;; *) return 1 ;; esac; }

# Everything below a process, by the kernel's word.
below() {
    local child
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
        echo "$child"
        below "$child"
    done
}

begin() {
    need userns "$1"
    RT=$1
    BOX=struck-$1
}
start() { cofferdam run --detach --keep always --runtime "$RT" --name "$BOX" -- sleep 1000 >/dev/null; }

# gone PID…: nothing of it lives, and prune leaves nothing of the workload.
gone() {
    local pid
    cofferdam rm --force "$BOX" >/dev/null
    cofferdam prune --force >/dev/null
    for pid in "$@"; do await 10 is_dead "$pid"; done
    expect_equal "$(cofferdam ps --all --quiet --filter "name=$BOX")" '' 'what is listed yet'
}

strike_our_process() {
    begin "$1"
    start
    local hands all pid
    hands=$(member "$BOX" pid)
    all=$(below "$hands")
    [ -n "$all" ] || fail 'there is nothing below our process'
    kill -9 "$hands"
    await 10 has_ended "$BOX"
    capture cofferdam ps --all --json --filter "name=$BOX"
    expect_out_has '"status": 137'
    # shellcheck disable=SC2086 # numbers are words
    for pid in "$hands" $all; do await 10 is_dead "$pid"; done
    gone
}

strike_monitor() {
    begin "$1"
    start
    local monitor hands all pid
    monitor=$(member "$BOX" monitor_pid)
    hands=$(member "$BOX" pid)
    all=$(below "$hands")
    kill -9 "$monitor"
    await 10 is_dead "$hands"
    expect_equal "$(phase "$BOX")" lost phase
    # shellcheck disable=SC2086 # numbers are words
    for pid in "$hands" $all; do await 10 is_dead "$pid"; done
    gone
}

# One after the other: the container's init, a sandbox, its gofer, the command itself.
strike_each_below() {
    begin "$1"
    local n=0 hands all victim
    while :; do
        start
        hands=$(member "$BOX" pid)
        all=$(below "$hands")
        n=$((n + 1))
        victim=$(echo "$all" | sed -n "${n}p")
        [ -n "$victim" ] || break
        echo "victim $n: $(tr '\0' ' ' <"/proc/$victim/cmdline" 2>/dev/null | cut -c1-80)"
        kill -9 "$victim"
        await 10 is_dead "$victim"
        # whether it could go on is the runtime's affair; what is said must be so
        if ! within 3 has_ended "$BOX"; then
            cofferdam exec "$BOX" -- true || : # it may find out by this
            ! has_ended "$BOX" || is_dead "$hands" || fail "said to have ended, and runs"
        fi
        # shellcheck disable=SC2086 # numbers are words
        gone "$hands" $all
    done
    [ "$n" -gt 1 ] || fail 'there was nothing to strike'
    gone "$hands" # the last one was whole
}

after_strike() {
    local what=$1 left
    cofferdam ps --all --json >listed 2>errors || complain "$what" "ps: $(cat errors)"
    ! grep -qE '"phase": "(running|starting|paused|stopping|restarting)"' listed ||
        complain "$what" "ps says it lives: $(grep phase listed)"
    cofferdam prune --force >/dev/null 2>errors || complain "$what" "prune: $(cat errors)"
    left=$(find "$RUN/run" "$RUN/state" ! -type d ! -name .names; lasting)
    [ -z "$left" ] || complain "$what" "left behind: $left"
}

strike_starts() {
    begin "$1"
    strikes_begin
    cofferdam run --runtime "$RT" -- true
    sweep "$2" kill "monitor child" -- run --runtime "$RT" -- true
    sweep "$3" tree any -- run --runtime "$RT" -- true
    strikes_end 5
}

test_our_process_beside_crun() { strike_our_process crun; }
test_our_process_beside_runc() { strike_our_process runc; }
test_our_process_beside_runsc() { strike_our_process runsc; }
test_the_monitor_over_crun() { strike_monitor crun; }
test_the_monitor_over_runc() { strike_monitor runc; }
test_the_monitor_over_runsc() { strike_monitor runsc; }
test_whatever_crun_started() { strike_each_below crun; }
test_whatever_runc_started() { strike_each_below runc; }
test_whatever_runsc_started() { strike_each_below runsc; }
test_starts_of_crun() { strike_starts crun 211 499; }
test_starts_of_runc() { strike_starts runc 151 997; }
test_starts_of_runsc() { strike_starts runsc 151 1999; }

run_tests "$@"
