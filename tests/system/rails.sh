#!/bin/bash
# The ring's own library: right user, private folders, skips that name, leaks that show.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

test_user_and_folders_are_right() {
    if [ "$COFFERDAM_TEST_AS" = root ]; then
        expect_equal "$(id -u)" 0 uid
    else
        [ "$(id -u)" != 0 ] || fail "this run should not be root's"
    fi
    for folder in "$HOME" "$XDG_RUNTIME_DIR" "$XDG_STATE_HOME" "$XDG_CONFIG_HOME"; do
        expect_equal "$(stat -c %u "$folder")" "$(id -u)" "owner of $folder"
        expect_equal "${folder#"$RUN"/}" "$(basename "$folder")" "place of $folder"
    done
}

test_a_missing_prerequisite_is_a_named_skip() {
    status=0
    (need no-such-program-anywhere) >"$T/log2" 2>&1 || status=$?
    expect_equal "$status" 77 status
    expect_equal "$(cat "$T/skip")" "needs no-such-program-anywhere"
}

test_a_promised_prerequisite_is_a_failure() {
    status=0
    (
        export COFFERDAM_MUST=userns,no-such-program-anywhere
        need no-such-program-anywhere
    ) >"$T/log2" 2>&1 || status=$?
    expect_equal "$status" 1 status
    grep -q "COFFERDAM_MUST promises" "$T/log2"
}

test_expectations_can_fail() {
    capture sh -c 'echo here; exit 3'
    expect_status 3
    expect_out here
    ! (expect_status 0) >/dev/null || fail "a wrong status passed"
    ! (expect_out there) >/dev/null || fail "a wrong output passed"
    ! (expect_out_has there) >/dev/null || fail "a missing word passed"
}

test_a_process_left_behind_is_named() {
    capture "$BUILD_DIR/tests/system/attend" 0 bash -c \
        'sleep 1000 & until grep -q ^sleep /proc/$!/cmdline; do :; done'
    expect_status 99
    expect_out_has "left behind: process"
    expect_out_has "sleep 1000"
}

# A command that fails in the middle is a failure, and the first verdict is the one that counts.
test_a_failure_in_the_middle_counts() {
    fails_in_the_middle() { false; true; }
    told() {
        set +e
        FAILURES=0
        run_one fails_in_the_middle 1
        echo "$FAILURES failed"
    }
    expect_equal "$(told)" 'not ok 1 - fails in the middle
1 failed'
}

run_tests "$@"
