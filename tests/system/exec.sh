#!/bin/bash
# exec: further commands in a running workload, their streams, status, users and ends.
. "$(dirname "$0")/lib.sh"

# begin: a workload called $W that stays until the test ends.
begin() {
    need userns
    W=${T##*/test_}
    cofferdam run --name "$W" --detach -- tail -f /dev/null >/dev/null
    trap end_it EXIT
}
end_it() { cofferdam exec "$W" -- sh -c 'kill -KILL -1' >/dev/null 2>&1 || :; }

test_streams_are_passed_byte_for_byte() {
    begin
    head -c 300000 /dev/urandom >in
    cofferdam exec "$W" -- sh -c 'cat; echo problem >&2' <in >out 2>err
    cmp in out
    expect_equal "$(cat err)" problem stderr
}

test_status_is_passed_on() {
    begin
    capture cofferdam exec "$W" -- sh -c 'exit 7'
    expect_status 7
    capture cofferdam exec "$W" -- sh -c 'kill -TERM $$'
    expect_status 143
    capture cofferdam exec "$W" -- no-such-program
    expect_status 127
    expect_err_has "no-such-program: not found"
    capture cofferdam exec "$W" -- /etc
    expect_status 126
}

test_our_own_failures_are_125() {
    begin
    capture cofferdam exec "$W"
    expect_status 125
    capture cofferdam exec nobody-there -- true
    expect_status 125
    capture cofferdam exec --workdir /no/where "$W" -- true
    expect_status 125
    expect_err_has "working directory"
    capture cofferdam exec --workdir here "$W" -- true
    expect_status 125
    capture cofferdam exec --user no-such-user "$W" -- true
    expect_status 125
}

test_environment_and_folder() {
    begin
    export HANDED=over
    capture cofferdam exec --workdir /usr --env A=1 --env HANDED "$W" -- sh -c 'echo "$A $HANDED $PWD"'
    expect_status 0
    expect_out "1 over /usr"
}

test_the_reader_may_leave() {
    begin
    cofferdam exec "$W" -- yes 2>/dev/null | head -n 2 >out
    expect_equal "$(cat out)" $'y\ny'
}

test_a_terminal_is_the_commands_own() {
    need script
    begin
    script -qec "$COFFERDAM exec $W -- sh -c 'tty; test -t 0 && test -t 1 && echo terminal'" \
        /dev/null </dev/null >out
    grep -q /dev/pts/0 out
    grep -q terminal out
}

test_nothing_of_ours_is_inside() {
    begin
    capture cofferdam exec "$W" -- sh -c 'ls -l /proc/self/fd | sed "s/.*[0-9] -> //" | sort -u | grep -v -e pipe: -e "^total" -e "^/proc/[0-9]*/fd"'
    expect_out ""
    # only PID 1 is not the workload's, and it shows nothing of itself
    capture cofferdam exec "$W" -- sh -c 'ls /proc/1/root /proc/1/cwd; cat /proc/1/environ /proc/1/maps; readlink /proc/1/exe /proc/1/fd/3'
    expect_out ""
    capture cofferdam exec "$W" -- sh -c 'grep -h NoNewPrivs /proc/self/status; grep -h Seccomp: /proc/self/status'
    expect_out_has "NoNewPrivs:	1"
    expect_out_has "Seccomp:	2"
}

test_an_exec_ends_with_its_workload() {
    begin
    mkfifo up
    cofferdam exec "$W" -- sh -c 'echo up; exec tail -f /dev/null' >up 2>/dev/null &
    read -r word <up
    expect_equal "$word" up
    end_it
    local status=0
    wait $! || status=$?
    [ "$status" != 0 ] || fail "it went on"
}

test_many_at_once() {
    begin
    local pids=() i
    for i in 1 2 3 4 5 6 7 8 9 10; do
        cofferdam exec "$W" -- sh -c "echo $i; exit $i" >"out.$i" &
        pids+=($!)
    done
    for i in 1 2 3 4 5 6 7 8 9 10; do
        local status=0
        wait "${pids[i - 1]}" || status=$?
        expect_equal "$status" "$i" status
        expect_equal "$(cat "out.$i")" "$i"
    done
}

test_users_are_found_by_name() {
    need userns
    local name=user
    have root && name=nobody # a single id has only its own user
    cofferdam run -d --name names -- sleep 1000 >/dev/null
    capture cofferdam exec --user "$name" --workdir / names -- id -un
    expect_out "$name"
    cofferdam kill names >/dev/null
}

run_tests "$@"
