# shellcheck shell=sh
# What must hold of every limit, whoever asks and wherever the control group comes from. The first
# argument is the function that runs cofferdam as somebody: root, person, delegated, session.

STRICT="--set resources.limits=strict"

# start WHO NAME OPTION… -- COMMAND…: a workload in the background; GROUP is its control group.
start() {
    start_who=$1
    start_name=$2
    shift 2
    # shellcheck disable=SC2086 # options are words
    capture "$start_who" run -d --name "$start_name" $STRICT "$@"
    expect_status 0
    GROUP=$(group_of "$(cat "$T/out")")
    [ -d "$GROUP" ] || fail "no control group: '$GROUP'"
}

# end WHO NAME: and nothing of it stays.
end() {
    capture "$1" kill "$2"
    expect_status 0
    await 10 nothing_of_ours
}

# above FILE KEY NUMBER: the kernel has counted more than that.
above() { [ "$(number "$2" <"$1" || echo 0)" -gt "$3" ]; }

memory_holds() {
    # shellcheck disable=SC2086
    capture "$1" run --name hog --keep always $STRICT --set resources.disk= --memory 32M -- \
        dd if=/dev/zero of=/dev/null bs=200M count=1
    expect_status 137
    capture "$1" report hog
    expect_out_has 'ran out of memory'
    capture "$1" report --json hog
    [ "$(number oom_kills <"$T/out")" -ge 1 ] || fail "no oom kill counted: $(cat "$T/out")"
    peak=$(number memory_peak <"$T/out")
    [ "$peak" -gt 8388608 ] && [ "$peak" -le 33554432 ] || fail "peak of $peak bytes"
    capture "$1" rm --force hog
    expect_status 0
    await 10 nothing_of_ours
}

# Files it has read are no use of memory that a lower limit would have to spare.
less_memory_takes_caches_back() {
    sync
    echo 3 >/proc/sys/vm/drop_caches
    start "$1" reader --memory 400M -- sh -c 'python3 -c "import time; x = b\"1\" * 20000000; time.sleep(1000)" &
        find /usr -type f -exec cat {} + >/dev/null; exec sleep 1000'
    await 60 above_now "$GROUP/memory.current" 60000000
    capture "$1" update --memory 48M reader
    expect_status 0
    [ "$(cat "$GROUP/memory.max")" = 50331648 ] || fail "memory.max: $(cat "$GROUP/memory.max")"
    [ "$(cat "$GROUP/memory.high")" = max ] || fail "memory.high: $(cat "$GROUP/memory.high")"
    [ "$(number oom_kill <"$GROUP/memory.events")" = 0 ] || fail "$(cat "$GROUP/memory.events")"
    capture "$1" update --memory 8M reader # less than what is no cache
    expect_status 125
    expect_err_has 'memory: it uses'
    [ "$(cat "$GROUP/memory.max")" = 50331648 ] || fail "memory.max: $(cat "$GROUP/memory.max")"
    end "$1" reader
}
above_now() { [ "$(cat "$1")" -gt "$2" ]; }

# A group of processes goes as a whole: no half a workload lives on.
memory_ends_all() {
    # shellcheck disable=SC2086
    capture "$1" run $STRICT --memory 32M -- \
        sh -c 'sleep 1000 & dd if=/dev/zero of=/dev/null bs=200M count=1; echo survived'
    expect_status 137
    expect_out_lacks survived
    await 10 nothing_of_ours
}

# The workload's own limit of processes and the control group's hold the same number; who is not under
# the first, because root put it there, meets the second.
pids_hold() {
    # shellcheck disable=SC2016
    start "$1" bomb --pids 12 -- sh -c '(while :; do sleep 1000 & done); exec sleep 1000'
    [ "$(cat "$GROUP/pids.max")" = 12 ] || fail "pids.max is $(cat "$GROUP/pids.max")"
    await 20 grep -qx 1[12] "$GROUP/pids.current"
    # shellcheck disable=SC2016
    capture sh -c 'echo 0 >"$0/cgroup.procs"; (:); (sleep 0.1 & sleep 0.1); echo forked' "$GROUP"
    expect_out_lacks forked
    above "$GROUP/pids.events" max 0 || fail "$(cat "$GROUP/pids.events")"
    end "$1" bomb
}

cpus_hold() {
    start "$1" spin --cpus 0.2 -- sh -c 'while :; do :; done'
    [ "$(cat "$GROUP/cpu.max")" = "20000 100000" ] || fail "cpu.max is $(cat "$GROUP/cpu.max")"
    await 20 above "$GROUP/cpu.stat" nr_throttled 4
    end "$1" spin
}

pause_stands_still() {
    start "$1" still --pids 20 -- sh -c 'while :; do :; done'
    capture "$1" pause still
    expect_status 0
    grep -q '^frozen 1$' "$GROUP/cgroup.events" || fail "not frozen: $(cat "$GROUP/cgroup.events")"
    capture "$1" ps
    expect_out_has paused
    capture "$1" resume still
    expect_status 0
    grep -q '^frozen 0$' "$GROUP/cgroup.events" || fail "not thawed"
    capture "$1" pause still
    end "$1" still
}

numbers_are_the_kernels() {
    start "$1" counted --memory 64M --pids 30 -- \
        sh -c 'dd if=/dev/zero of=/tmp/x bs=1M count=16; while :; do :; done'
    await 10 above "$GROUP/memory.stat" shmem 16000000
    await 10 above "$GROUP/cpu.stat" usage_usec 50000
    capture "$1" ps --json --filter name=counted
    memory=$(number memory <"$T/out")
    [ "$memory" -ge 16777216 ] && [ "$memory" -le 67108864 ] || fail "memory $memory"
    [ "$(number cpu_us <"$T/out")" -ge 50000 ] || fail "processor time: $(cat "$T/out")"
    [ "$(number pids <"$T/out")" = "$(cat "$GROUP/pids.current")" ] || fail "$(cat "$T/out")"
    capture "$1" stats --json
    expect_out_has '"memory_peak"'
    expect_out_has '"oom_kills": 0'
    [ "$(number cpu_milli <"$T/out")" -gt 50 ] || fail "processor use: $(cat "$T/out")"
    end "$1" counted
}

# The kernel's pressure numbers: two that want one fifth of a processor wait for it.
pressure_is_told() {
    start "$1" pressed --cpus 0.2 -- sh -c 'while :; do :; done & while :; do :; done'
    await 20 above "$GROUP/cpu.stat" nr_throttled 2
    capture "$1" stats --json
    [ "$(number pressure_cpu_us <"$T/out")" -gt 0 ] || fail "no pressure: $(cat "$T/out")"
    end "$1" pressed
}

kill_reaches_all() {
    # shellcheck disable=SC2016
    start "$1" many --pids 60 -- sh -c 'i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i + 1)); done; wait'
    await 20 sh -c "[ \"\$(cat '$GROUP/pids.current')\" -ge 31 ]"
    end "$1" many
}

# The monitor is shot: whatever it left is described, and one prune later there is nothing.
a_dead_monitor_is_cleaned_up() {
    start "$1" orphan --memory 64M --pids 20 -- sleep 1000
    # shellcheck disable=SC2046 # behind a runtime of others there are two
    kill -9 $(pidof cofferdam-monitor)
    capture "$1" ps --all
    expect_out_has orphan
    capture "$1" prune --force
    expect_status 0
    await 10 nothing_of_ours
    capture "$1" ps --all --quiet
    [ ! -s "$T/out" ] || fail "still listed: $(cat "$T/out")"
}

# No limit can be loosened from inside: nothing of the control group's file system is in reach.
out_of_reach_inside() {
    # shellcheck disable=SC2086,SC2016
    capture "$1" run $STRICT --memory 64M --pids 20 -- sh -c '
        cat /proc/self/cgroup
        find / -xdev -name cgroup.procs 2>/dev/null
        for file in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; do
            (echo max >$file) 2>/dev/null && echo "WROTE $file"
        done
        mkdir /sys/fs/cgroup/below 2>/dev/null && echo "MADE a group"
        true'
    expect_status 0
    expect_out_has '0::/'
    expect_out_lacks '0::/c'
    expect_out_lacks '0::/u'
    expect_out_lacks WROTE
    expect_out_lacks MADE
}
