#!/bin/bash
# kill -9 of each of our processes: the next command tells the truth, prune leaves nothing.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

member() { cofferdam inspect --json "$1" | sed -n "s/^ *\"$2\": *\([0-9]*\).*/\1/p" | head -1; }
is_gone() { [ -z "$(cofferdam ps --all --quiet --filter "name=$1")" ]; }
is_dead() { ! kill -0 "$1" 2>/dev/null; }

test_the_monitor_is_killed() {
    need userns
    cofferdam run -d --name lost -- sleep 1000 >/dev/null
    local monitor inside
    monitor=$(member lost monitor_pid)
    inside=$(member lost pid)
    kill -9 "$monitor"
    await 10 is_dead "$monitor"
    await 10 is_dead "$inside" # the workload goes with it
    capture cofferdam ps
    expect_status 0
    expect_out_has lost
    capture cofferdam stop lost
    expect_status 0
    capture cofferdam prune --dry-run
    expect_out_has lost
    capture cofferdam prune --force
    expect_status 0
    is_gone lost || fail "prune left it"
}

test_the_init_is_killed() {
    need userns
    cofferdam run -d --name headless --keep always -- sleep 1000 >/dev/null
    local inside
    inside=$(member headless pid)
    kill -9 "$inside"
    await 10 sh -c "\"$COFFERDAM\" ps --all --filter name=headless | grep -q exited"
    capture cofferdam ps --all --json --filter name=headless
    expect_out_has '"status": 137'
    cofferdam rm -f headless
}

test_the_starter_is_killed() {
    need userns
    cofferdam run --name orphan -- sh -c 'echo up; exec sleep 1000' >out &
    local starter=$!
    await 10 grep -q up out
    kill -9 $starter
    wait $starter || :
    capture cofferdam ps
    expect_out_has orphan
    capture cofferdam stop orphan
    expect_status 0
    is_gone orphan || fail "it is still there"
}

test_one_broken_folder_hides_no_other() {
    need userns
    cofferdam run -d --name sound -- sleep 1000 >/dev/null
    mkdir "$RUN/run/cofferdam/bad0bad0bad0"
    printf 'no json' >"$RUN/run/cofferdam/bad0bad0bad0/state"
    capture cofferdam ps
    expect_status 0
    expect_out_has sound
    expect_out_has bad0bad0bad0
    capture cofferdam prune --force
    expect_status 0
    expect_no_file "$RUN/run/cofferdam/bad0bad0bad0"
    cofferdam kill sound
}

test_the_monitor_killed_at_any_moment() {
    need userns strace
    local n status
    for n in 1 2 3 5 8 13 21 34 55 89 144; do
        status=0
        strace -f -qq -o /dev/null -e inject=write:signal=KILL:when=$n \
            "$COFFERDAM" run --name "cut$n" -- true >/dev/null 2>&1 </dev/null || status=$?
        capture cofferdam ps --all
        expect_status 0
        capture cofferdam prune --force
        expect_status 0
    done
    capture cofferdam ps --all --quiet
    expect_out ""
}

run_tests "$@"
