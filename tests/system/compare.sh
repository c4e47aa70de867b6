#!/bin/bash
# compare: the same command behind every boundary there is, measured; nothing is left, interrupted or not.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# row RUNTIME: that one of the comparison in $T/out, its values in the order of the expression.
row() { python3 -c 'import json, sys
for row in json.load(open(sys.argv[1]))["comparison"]:
    if row["runtime"] == sys.argv[2]:
        print(*eval(sys.argv[3], {}, row))' "$T/out" "$1" "$2"; }

test_each_runtime_has_its_line() {
    need userns
    capture cofferdam compare --rounds 1 -- true
    expect_status 0
    expect_out_has BOUNDARY
    grep -Eq '^container  native  +[0-9.]+ m?s +[0-9.]+ m?s .* 0$' "$T/out" || fail "$(cat "$T/out")"
    grep -Eq '^vm  +libvirt  +not measured: .*mend' "$T/out" || fail "$(cat "$T/out")"
    ! grep -q 'is not known' "$T/out" || fail "a runtime nobody can name"
}

test_json_tells_status_and_times() {
    need userns
    capture cofferdam compare --rounds 2 --env A=5 --json -- sh -c 'exit $A'
    expect_status 0
    expect_equal "$(row native '[usable, status, emulated, why]')" "True 5 False None" "the native row"
    expect_equal "$(row native '[0 < start_us <= total_us]')" True times
    expect_equal "$(row libvirt '[usable, bool(why)]')" "False True" "the row of whole machines"
    expect_out_has '"rounds": 2'
}

test_what_it_writes_is_thrown_away() {
    need userns
    capture cofferdam compare --rounds 1 --json -- sh -c 'echo loud; echo louder >&2'
    expect_status 0
    ! grep -q loud "$T/err" || fail "its errors are seen"
    python3 -m json.tool "$T/out" >/dev/null
    expect_equal "$(cofferdam ps --all --quiet)" "" "what is left"
}

test_a_command_that_is_nowhere_is_said() {
    need userns
    capture cofferdam compare --rounds 1 --json -- no-such-program
    expect_equal "$(row native '["no-such-program" in why]')" True "the reason"
}

test_an_interrupt_leaves_nothing() {
    local pid status=0
    need userns
    "$COFFERDAM" compare -- sleep 1000 >"$T/out" 2>&1 &
    pid=$!
    await 10 is_there
    kill -TERM "$pid"
    wait "$pid" || status=$?
    expect_equal "$status" 130 "the status of who is interrupted"
    expect_equal "$(cofferdam ps --all --quiet)" "" "what is left"
}
is_there() { [ -n "$(cofferdam ps --quiet)" ]; }

test_wrong_words_are_refused() {
    capture cofferdam compare
    expect_status 125
    capture cofferdam compare --rounds 0 -- true
    expect_status 125
    expect_err_has "1 to 100"
    capture cofferdam compare --profile no-such -- true
    expect_status 125
    expect_err_has no-such
}

# Where the launch sheet takes its figures from.
test_a_start_is_measured() {
    need userns
    rm -f "$XDG_CACHE_HOME/cofferdam/measured.json"
    cofferdam compare --rounds 1 -- true >/dev/null
    capture cofferdam sheet dial
    expect_out_has "measured here, 1 start"
    cofferdam run --detach --name rests -- sleep 1000 >/dev/null
    capture cofferdam inspect rests
    expect_out_has "boundary "
    expect_out_has "start          folder"
    capture cofferdam sheet dial
    expect_out_has "measured here, 2 starts"
    capture cofferdam sheet dial "$PWD/nowhere" # which is said by who asks
    expect_out_has '"what": "No such file or directory"'
    cofferdam rm --force rests >/dev/null
}

run_tests "$@"
