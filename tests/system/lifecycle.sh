#!/bin/bash
# ps, stop, kill, pause, wait, rm, logs, stats, events: workloads watched and ended from outside.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

is_gone() { [ -z "$(cofferdam ps --all --quiet --filter "name=$1")" ]; }
says() { cofferdam logs "$1" 2>/dev/null | grep -qF -e "$2"; }

test_ten_are_started_watched_and_removed() {
    need userns
    for i in 0 1 2 3 4 5 6 7 8 9; do
        cofferdam run -d --name "many$i" --label kind=many -- sleep 1000 >/dev/null
    done
    capture cofferdam ps --filter label=kind=many
    expect_status 0
    for i in 0 1 2 3 4 5 6 7 8 9; do expect_out_has "many$i"; done
    expect_equal "$(cofferdam ps -q --filter label=kind=many | wc -l)" 10 "ids"
    expect_equal "$(cofferdam ps -q --filter label=kind=few | wc -l)" 0 "ids"
    capture cofferdam stats
    expect_out_has many9
    # shellcheck disable=SC2046 # ids are words
    capture cofferdam kill $(cofferdam ps -q --filter label=kind=many)
    expect_status 0
    expect_equal "$(cofferdam ps -aq --filter label=kind=many | wc -l)" 0 "ids"
}

# Without a network nothing goes in or out; of the host's nobody knows what is whose.
test_unknown_traffic_is_no_traffic_of_zero() {
    need userns
    cofferdam run -d --name closed -- sleep 1000 >/dev/null
    cofferdam run -d --name shared --network host -- sleep 1000 >/dev/null
    capture cofferdam stats --once --json closed shared
    python3 - "$T/out" <<'EOF' || fail "what the network did"
import json, sys
both = {s["name"]: s for s in json.load(open(sys.argv[1]))["stats"]}
assert both["closed"]["network_in"] == both["closed"]["network_out"] == 0, both
assert "network_in" not in both["shared"] and "network_out" not in both["shared"], both
EOF
    cofferdam kill closed shared
}

test_a_name_is_taken_while_it_runs() {
    need userns
    cofferdam run -d --name taken -- sleep 1000 >/dev/null
    capture cofferdam run --name taken -- true
    expect_status 125
    expect_err_has taken
    cofferdam kill taken
    capture cofferdam run --name taken -- true
    expect_status 0
}

test_stop_asks_first() {
    need userns
    cofferdam run -d --name asked -- sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.02; done' >/dev/null
    await 10 says asked up
    cofferdam wait asked >/dev/null &
    local waiter=$! status=0
    await 10 sh -c "\"$COFFERDAM\" ps --json --filter name=asked | grep -q running"
    capture cofferdam stop asked
    expect_status 0
    wait $waiter || status=$?
    # the waiter may have come too late: then there was nothing to wait for any more
    [ $status = 5 ] || [ $status = 125 ] || fail "wait said $status"
    is_gone asked || fail "it is still there"
}

test_stop_kills_who_does_not_listen() {
    need userns
    cofferdam run -d --name deaf --set lifecycle.keep=always -- \
        sh -c 'trap "" TERM; echo up; while :; do sleep 0.02; done' >/dev/null
    await 10 says deaf up
    capture cofferdam stop --time 100ms deaf
    expect_status 0
    capture cofferdam ps --all --json --filter name=deaf
    expect_out_has '"status": 137'
    expect_out_has '"reason": "stopped"'
    cofferdam rm -f deaf
    is_gone deaf || fail "rm left it"
}

test_pause_stands_still_and_stop_thaws() {
    need userns
    cofferdam run -d --name still -- sh -c 'trap "exit 0" TERM; while :; do echo tick; sleep 0.02; done' >/dev/null
    await 10 says still tick
    cofferdam pause still
    capture cofferdam ps
    expect_out_has paused
    before=$(cofferdam logs still | wc -l)
    capture cofferdam exec still -- true
    expect_status 125
    expect_equal "$(cofferdam logs still | wc -l)" "$before" "lines while paused"
    cofferdam resume still
    await 10 sh -c "[ \$(\"$COFFERDAM\" logs still | wc -l) -gt $before ]"
    cofferdam pause still
    capture cofferdam stop still
    expect_status 0
    is_gone still || fail "it is still there"
}

test_a_signal_reaches_the_command() {
    need userns
    cofferdam run -d --name told -- sh -c 'trap "echo usr1" USR1; echo up; while :; do sleep 0.02; done' >/dev/null
    await 10 says told up
    cofferdam kill --signal USR1 told
    await 10 says told usr1
    capture cofferdam kill --signal NOPE told
    expect_status 125
    cofferdam kill told
}

test_limits_end_it() {
    need userns
    capture cofferdam run --time-limit 100ms -- sleep 1000
    expect_status 143
    expect_err_has 'time limit'
    capture cofferdam run --set lifecycle.idle-limit=100ms -- sleep 1000
    expect_status 143
    expect_err_has 'idle limit'
}

test_what_is_kept() {
    need userns
    capture cofferdam run --name good --keep on-failure -- true
    expect_status 0
    is_gone good || fail "a success was kept"
    capture cofferdam run --name bad --keep on-failure -- sh -c 'echo words; exit 3'
    expect_status 3
    capture cofferdam logs bad
    expect_out words
    capture cofferdam ps
    expect_out_lacks bad
    capture cofferdam ps --all
    expect_out_has 'exited 3'
    capture cofferdam rm bad
    expect_status 125
    expect_err_has --force
    capture cofferdam prune --dry-run
    expect_out_has bad
    cofferdam rm --force bad
    is_gone bad || fail "rm left it"
}

test_rm_needs_force_for_the_living() {
    need userns
    cofferdam run -d --name alive -- sleep 1000 >/dev/null
    capture cofferdam rm alive
    expect_status 125
    expect_err_has running
    capture cofferdam rm --force alive
    expect_status 0
    is_gone alive || fail "it is still there"
}

# A monitor that somebody has stopped answers nobody: who waits for it learns why, and what can be done.
test_a_stopped_monitor_is_explained() {
    local monitor asker
    need userns
    cofferdam run -d --name still -- sleep 1000 >/dev/null
    monitor=$(cofferdam inspect --json still | sed -n 's/.*"monitor_pid": *\([0-9]*\).*/\1/p' | head -n 1)
    kill -STOP "$monitor"
    "$COFFERDAM" rm --force still >out 2>err &
    asker=$!
    await 20 grep -q "still: its monitor (process $monitor) is stopped: kill -CONT $monitor" err
    kill -CONT "$monitor"
    wait $asker || fail "it was not removed"
    capture cofferdam ps -a -q
    expect_out ""
}

test_restart_until_it_is_enough() {
    need userns
    "$COFFERDAM" events >events &
    local watcher=$!
    await 10 sh -c "ls -l /proc/$watcher/fd | grep -q inotify"
    cofferdam run -d --name again --set lifecycle.restart=on-failure:1 --keep always -- \
        sh -c 'echo run; sleep 0.5; exit 4' >/dev/null
    end_of_it() { [ "$(grep -c 'again exited 4' events)" = 2 ]; }
    await 20 end_of_it
    kill $watcher
    grep -q 'again restarting' events || fail "nobody said that it starts again"
    cofferdam wait again >/dev/null || true
    expect_equal "$(cofferdam logs again)" "$(printf 'run\nrun')" "what both runs wrote"
    cofferdam rm --force again
    cofferdam run -d --name again --set lifecycle.restart=on-failure:1 -- sh -c 'echo run; exit 4' >/dev/null
    # a second passes before it starts again; then it has had its one restart and goes
    # (between two runs there is no workload, but somebody who waits to start it)
    await 20 sh -c "! pgrep -f '[c]offerdam-monitor $RUN/run' >/dev/null"
    expect_equal "$(find "$RUN/run/cofferdam" -maxdepth 1 -type d -name '????????????' | wc -l)" 0 "folders"
}

# What it wrote before it started again is told by the one that runs now, first things first.
logs_of_every_run() {
    mkdir -p shared
    rm -f shared/second
    cofferdam run -d --name twice --set lifecycle.restart=on-failure:1 --mount "$T/shared:/shared:rw" "$@" -- \
        sh -c 'if [ -e /shared/second ]; then echo two; exec sleep 1000; fi; touch /shared/second; echo one; exit 4' >/dev/null
    await 20 says twice two
    expect_equal "$(cofferdam logs twice)" "$(printf 'one\ntwo')" "what both runs wrote ($*)"
    expect_equal "$(cofferdam logs --since 2100-01-01 twice)" "" "the log of the future ($*)"
    cofferdam rm --force twice
}

test_logs_know_the_earlier_runs() {
    need userns
    chmod 777 .
    logs_of_every_run
    logs_of_every_run --tty
    logs_of_every_run --keep always
    logs_of_every_run --keep always --tty
}

test_between_two_runs_it_is_restarting() {
    need userns
    cofferdam run -d --name between --set lifecycle.restart=on-failure:4 -- sh -c 'exit 4' >/dev/null
    await 10 sh -c "\"$COFFERDAM\" ps --filter state=restarting --quiet | grep -q ."
    # however late one comes: it does so again and again
    refused_between() {
        capture cofferdam exec between -- true
        [ "$STATUS" = 125 ] && grep -q restarting "$T/err"
    }
    await 10 refused_between
    cofferdam rm --force between
    is_gone between || fail "it is still there"
}

test_logs_since_of_a_terminal() {
    need userns
    cofferdam run -d --tty --name lines -- \
        sh -c 'trap "echo new" URG; seq -f "old %g" 40; while :; do sleep 0.02; done' >/dev/null
    await 10 says lines "old 40"
    # lines are known to the second they were written in, so one has to go by
    local from since
    from=$(date +%s)
    later() { [ "$(date +%s)" -gt $((from + 1)) ]; }
    await 10 later
    since=$(date +%Y-%m-%dT%H:%M:%S)
    expect_equal "$(cofferdam logs --since "$since" lines)" "" "what it wrote since"
    expect_equal "$(cofferdam logs --since 1h lines | grep -c old)" 40 "what it wrote in this hour"
    cofferdam kill --signal URG lines
    await 10 says lines new
    expect_equal "$(cofferdam logs --since "$since" lines)" new "what it wrote since"
    cofferdam rm --force lines
}

test_a_restart_that_fails_is_told() {
    need userns
    mkdir source
    cofferdam run -d --name fails --set lifecycle.restart=on-failure:3 --keep always --set resources.disk= \
        --mount "$T/source:/source" -- sh -c 'echo run; exit 4' >/dev/null
    rmdir source
    told() { cofferdam inspect fails --json | grep -q '"reason": "could not start again: .*source'; }
    await 20 told
    expect_equal "$(cofferdam logs fails)" run "what it wrote before"
    capture cofferdam report fails
    expect_out_has "with status 125"
    expect_out_has "could not start again"
    cofferdam rm --force fails
}

test_events_tell_it_all() {
    need userns
    "$COFFERDAM" events --json >events &
    local watcher=$!
    await 10 sh -c "ls -l /proc/$watcher/fd | grep -q inotify"
    mkfifo go
    cofferdam run --name told -- sh -c 'read -r _; exit 6' <go &
    exec 7>go
    await 10 grep -q '"event":"started"' events # who comes later than the end hears of no status
    exec 7>&-
    await 10 grep -q '"event":"removed"' events
    kill $watcher
    expect_equal "$(sed 's/.*"event":"\([a-z]*\)".*/\1/' events | tr '\n' ' ')" "starting started exited removed " events
    grep -q '"event":"exited".*"status":6' events || { cat events; fail "no exit was told"; }
}

test_logs_follow_and_since() {
    need userns
    cofferdam run -d --name talks -- \
        sh -c 'trap "echo two; exit" URG; echo one; while :; do sleep 0.02; done' >/dev/null
    await 10 says talks one
    cofferdam logs --follow talks >followed &
    local follower=$!
    await 10 grep -q one followed
    expect_equal "$(cofferdam logs --since 2100-01-01 talks)" "" "the log of the future"
    # not by exec: it would be killed by the end that it brings about
    cofferdam kill --signal URG talks
    wait $follower
    expect_equal "$(cat followed)" "$(printf 'one\ntwo')" "what was followed"
}

test_unknown_names_are_errors() {
    for verb in stop kill pause resume wait rm logs attach stats; do
        capture cofferdam $verb nobody-is-called-this
        expect_status 125
        expect_err_has 'no workload'
    done
}

run_tests "$@"
