#!/bin/bash
# SIGKILL and failing system calls at every step of a launch, for each process of it and for all at
# once: the next `ps` tells the truth, `prune` cleans, nothing is left. The short ring takes samples;
# COFFERDAM_LONG=1 takes every step, or with COFFERDAM_STRIDE=n every n-th.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

KILL_AT=$BUILD_DIR/tests/tools/kill-at

# What the journals of this moment announce: control groups, id ranges.
list_announced() {
    find "$RUN/run/cofferdam" -mindepth 2 -maxdepth 2 -name journal -exec cat {} + 2>/dev/null | cut -f2- | sort -u
}

# Those that are there: groups, and locks of id ranges that nobody holds by now.
list_left() {
    local path
    while read -r path; do
        case $path in
        */ids/*) [ ! -e "$path" ] || ! flock -n "$path" true || echo "$path" ;;
        /*) [ ! -e "$path" ] || echo "$path" ;;
        ?*) ls -d "/sys/fs/cgroup/$path" /sys/fs/cgroup/*/"$path" ;;
        esac
    done <announced
}

# What a step may not leave, as paths. Empty folders of ours are no leak.
remains() {
    local folder
    find "$RUN/run" "$RUN/state" "$RUN/data" "$RUN/config" ! -type d ! -name .names
    find "$RUN/cache" -type f ! -name '*.bpf' ! -name '*.bpf.txt'
    for folder in "$RUN/run/cofferdam" "$RUN/state/cofferdam/workloads"; do
        [ ! -d "$folder" ] || find "$folder" -mindepth 1 -maxdepth 1 -type d ! -name ids
    done
    list_left
    list_mounts
}

# step ROLE N ACTION COMMAND…: one strike and its checks. Status 3: there is no such step.
step() {
    local what status=0 left
    what=$("$KILL_AT" "$1" "$2" "$3" "$COFFERDAM" "${@:4}" </dev/null 2>said) || status=$?
    what=${what##*$'\n'}
    [ $status != 3 ] || return 3
    # the dynamic loader dies of what it cannot map, before anything of ours has begun
    case $what in 'cli call '[1-9]' '*'by signal 11'* | 'cli call '[123][0-9]' '*'by signal 11'*) return 0 ;; esac
    STEPS=$((STEPS + 1))
    [ $status = 0 ] || complain "$what" "kill-at: $status"
    case $what in
    *': status 0' | *': status 125' | *': status 12'[67] | *': status 137' | *': signal 9' | *': status 143') ;;
    *': signal 6') [ "$3" = ENOMEM ] || complain "$what" "an abort" ;;
    *) complain "$what" "an odd status: $(head -3 said)" ;;
    esac
    # whoever fails for want of something says so
    case $3$what in
    kill* | tree*) ;;
    *': status 125') [ -s said ] || complain "$what" "125 without a word" ;;
    esac
    # one pass of ps and prune each: the truth, then nothing
    cofferdam ps --all --json >listed 2>errors || complain "$what" "ps: $(cat errors)"
    if grep -qE '"phase": "(running|starting|paused|stopping|restarting)"' listed; then
        complain "$what" "ps says it lives: $(grep phase listed)"
    fi
    list_announced >announced
    cofferdam prune --force >/dev/null 2>errors || complain "$what" "prune: $(cat errors)"
    left=$(remains 2>/dev/null)
    if [ -n "$left" ]; then
        complain "$what" "left behind: $left"
        # so that the next step does not pay for it
        find "$RUN/run/cofferdam" "$RUN/state/cofferdam" -mindepth 1 -delete 2>/dev/null
    fi
}

complain() {
    echo "$ACTION at $1: $2"
    COMPLAINTS=$((COMPLAINTS + 1))
}

# sweep STRIDE ACTION ROLES -- COMMAND…
sweep() {
    local stride=$1 role n roles status most
    ACTION=$2
    roles=$3
    shift 4
    [ -z "${COFFERDAM_LONG:-}" ] || stride=${COFFERDAM_STRIDE:-1}
    for role in $roles; do
        most=$("$KILL_AT" "$role" 0 count "$COFFERDAM" "$@" </dev/null 2>/dev/null | tail -1)
        cofferdam prune --force >/dev/null 2>&1 || :
        # not always the same ones
        n=$((1 + ${OFFSET:-$RANDOM} % stride))
        while [ "$n" -le "$most" ]; do
            status=0
            step "$role" "$n" "$ACTION" "$@" || status=$?
            [ $status != 3 ] || break
            n=$((n + stride))
        done
    done
}

begin() {
    need userns
    COMPLAINTS=0 STEPS=0
    echo content >file
    cofferdam run -- true # the filter is compiled once, whatever is tried
}

end() {
    echo "$STEPS steps, $COMPLAINTS complaints"
    [ "$COMPLAINTS" = 0 ] || fail "$COMPLAINTS complaints in $STEPS steps"
    [ "$STEPS" -gt 5 ] || fail "only $STEPS steps"
}

test_each_process_is_killed() {
    begin
    sweep 19 kill "cli monitor child inside" -- run -- true
    end
}

test_the_whole_tree_is_killed() {
    begin
    sweep 61 tree any -- run -- true
    end
}

test_a_kept_workload_at_a_terminal_is_killed() {
    begin
    sweep 67 kill "monitor child" -- run --keep always --tty --copy-in ./file:/tmp/file -- cat /tmp/file
    sweep 149 tree any -- run --keep always --tty --copy-in ./file:/tmp/file -- cat /tmp/file
    end
}

test_a_detached_start_is_killed() {
    begin
    sweep 97 tree any -- run --detach -- true
    end
}

test_calls_fail() {
    local errno
    begin
    for errno in ENOSPC ENOMEM EMFILE EIO; do
        sweep 89 "$errno" "cli monitor child" -- run -- true
    done
    sweep 101 EINTR "cli monitor child" -- run -- true
    end
}

test_calls_of_a_kept_workload_fail() {
    local errno
    begin
    for errno in ENOSPC ENOMEM EMFILE EIO; do
        sweep 211 "$errno" "cli monitor child" -- run --keep always --copy-in ./file:/tmp/file -- cat /tmp/file
    done
    end
}

run_tests "$@"
