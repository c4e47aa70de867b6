#!/bin/bash
# Standard streams of every kind, in every state, in any amount: what goes in comes out.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# A workload that hangs is a failure with a name.
run() { timeout --foreground 60 "$COFFERDAM" run "$@"; }

test_64_megabytes_through() {
    need userns
    local mib=16
    [ -z "${COFFERDAM_LONG:-}" ] || mib=64
    head -c $((mib * 1048576)) /dev/urandom >random
    expect_equal "$(run -- cat <random | sha256sum)" "$(sha256sum <random)" "through pipes"
    # shellcheck disable=SC2002 # a pipe is what is wanted
    cat random | run -- cat >copy
    cmp random copy
    run -- sha256sum <random >sum
    expect_equal "$(cat sum)" "$(sha256sum <random)" "read inside"
    run -- sh -c 'cat >&2' <random 2>copy >/dev/null
    cmp random copy
}

test_both_outputs_at_once() {
    need userns
    run -- sh -c 'head -c 8000000 /dev/zero & head -c 8000000 /dev/zero >&2 & wait' >out 2>err
    expect_equal "$(wc -c <out) $(wc -c <err)" "8000000 8000000" bytes
    cmp out err
}

test_a_slow_reader_loses_nothing() {
    need userns
    run -- head -c 3000000 /dev/zero | (while read -rt 0.05 <> <(:); do :; done; sha256sum) >sum
    expect_equal "$(cat sum)" "$(head -c 3000000 /dev/zero | sha256sum)" bytes
}

test_readers_that_leave() {
    need userns
    set +e
    expect_equal "$(run -- yes | head -1)" y "yes | head"
    run -- sh -c 'yes >&2' 2> >(head -c 10 >/dev/null)
    local status=$?
    set -e
    [ $status != 0 ] && [ $status != 124 ] || fail "yes into a closed stderr: $status"
}

test_closed_descriptors() {
    need userns
    local status
    run -- sh -c 'cat; echo out; echo err >&2' <&- >out 2>err
    expect_equal "$(cat out)$(cat err)" outerr "stdin closed"
    status=0
    run -- sh -c 'echo out; exit 7' </dev/null >&- 2>err || status=$?
    [ $status = 7 ] || [ $status = 125 ] || fail "stdout closed: $status"
    status=0
    run -- sh -c 'echo err >&2; exit 7' </dev/null >out 2>&- || status=$?
    expect_equal "$status" 7 "stderr closed"
    status=0
    run -- sh -c 'exit 7' <&- >&- 2>&- || status=$?
    [ $status = 7 ] || [ $status = 125 ] || fail "all closed: $status"
    run -- sh -c 'ls /proc/self/fd | wc -l' <&- >out
    expect_equal "$(cat out)" 4 "descriptors inside" # 0, 1, 2 and the folder
}

test_inputs_of_every_kind() {
    need userns python3
    echo content >file
    expect_equal "$(run -- cat <file)" content "a file"
    expect_equal "$(echo content | run -- cat)" content "a pipe"
    expect_equal "$(run -- cat </dev/null)" "" "/dev/null"
    expect_equal "$(run -- head -c 5 </dev/zero | od -An -tx1 | tr -d ' \n')" 0000000000 "a device"
    mkfifo fifo
    echo content >fifo &
    expect_equal "$(run -- cat <fifo)" content "a named pipe"
    python3 - "$COFFERDAM" <<'PY' >socket
import socket, subprocess, sys
a, b = socket.socketpair()
p = subprocess.Popen([sys.argv[1], "run", "--", "cat"], stdin=b, stdout=b)
b.close(); a.sendall(b"content\n"); a.shutdown(socket.SHUT_WR)
data = b""
while (part := a.recv(100)): data += part
print(data.decode(), p.wait(), end="")
PY
    expect_equal "$(cat socket)" $'content\n 0' "a socket"
    # a position shared with others: what the workload left belongs to the next
    for _ in {1..20}; do run -- true <file; done
    : >empty
    expect_equal "$(run -- wc -c <empty)" 0 "an empty file"
    run -- sh -c 'exit 3' <"$T" && fail "a folder" || expect_equal $? 3 "a folder as stdin"
}

test_outputs_of_every_kind() {
    need userns
    echo first >appended
    run -- echo second >>appended
    expect_equal "$(cat appended)" $'first\nsecond' "appended"
    run -- echo x >/dev/null
    local status=0
    run -- echo x >/dev/full 2>err || status=$?
    [ $status != 124 ] || fail "a full device: it hung"
    exec {both}<>file
    run -- sh -c 'cat; echo written' <&$both >&$both
    exec {both}>&-
    expect_equal "$(cat file)" written "read and written"
}

test_input_that_is_never_read() {
    need userns
    local status=0
    yes | run -- sh -c 'exit 5' || status=${PIPESTATUS[1]}
    expect_equal "$status" 5
    # nobody writes, nobody closes: the workload's end is the end
    mkfifo never
    exec {hold}<>never
    run -- sh -c 'exit 6' <&$hold || status=$?
    exec {hold}>&-
    expect_equal "$status" 6
}

test_input_closed_inside() {
    need userns
    expect_equal "$(head -c 2000000 /dev/zero | run -- sh -c 'head -c 10 >/dev/null; exec <&-; echo on')" on
}

test_output_held_by_a_child() {
    need userns
    # exit means the command's exit, not the end of a pipe that a child holds
    local status=0
    timeout 20 "$COFFERDAM" run -- sh -c 'sleep 1000 & echo out; exit 4' >out </dev/null || status=$?
    expect_equal "$status$(cat out)" 4out
}

test_a_terminal_only_here_or_there() {
    need userns script
    script -qec "$COFFERDAM run -- sh -c 'test -t 0; echo in \$?; test -t 1; echo out \$?' </dev/null | cat" /dev/null >out </dev/null
    grep -q 'in 1' out && grep -q 'out 1' out || fail "$(cat -v out)"
    script -qec "stty rows 33 cols 77; $COFFERDAM run -- sh -c 'stty size; tty'" /dev/null >out </dev/null
    grep -q '33 77' out || fail "$(cat -v out)"
    grep -q '/dev/pts/0' out || fail "$(cat -v out)"
}

test_exec_streams() {
    need userns
    head -c 4000000 /dev/urandom >random
    run -d --name box -- sleep 1000 >/dev/null
    expect_equal "$(cofferdam exec box -- cat <random | sha256sum)" "$(sha256sum <random)" bytes
    expect_equal "$(cofferdam exec box -- sh -c 'echo a; exit 9' <&- || echo $?)" $'a\n9' "no stdin"
    set +e
    expect_equal "$(timeout 20 "$COFFERDAM" exec box -- yes | head -1)" y
    set -e
    cofferdam kill box >/dev/null
}

run_tests "$@"
