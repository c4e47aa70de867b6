#!/bin/bash
# SIGKILL and failing system calls at every step of a launch, for each process of it and for all at
# once: the next `ps` tells the truth, `prune` cleans, nothing is left.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/system/strikes.sh
. "$(dirname "$0")/strikes.sh"

# What the journals of this moment announce: control groups, id ranges.
list_announced() {
    find "$RUN/run/cofferdam" -mindepth 2 -maxdepth 2 -name lock -exec cat {} + 2>/dev/null | cut -s -f2- | sort -u
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
    find "$RUN/run" "$RUN/state" "$RUN/data" "$RUN/config" ! -type d ! -name .names ! -name interface.ini
    find "$RUN/cache" -type f ! -name '*.bpf' ! -name '*.bpf.txt'
    for folder in "$RUN/run/cofferdam" "$RUN/state/cofferdam/workloads"; do
        [ ! -d "$folder" ] || find "$folder" -mindepth 1 -maxdepth 1 -type d ! -name ids
    done
    list_left
    list_mounts
}

after_strike() {
    local what=$1 left
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

begin() {
    need userns
    strikes_begin
    echo content >file
    cofferdam run -- true # the filter is compiled once, whatever is tried
}

test_each_process_is_killed() {
    begin
    sweep 19 kill "cli monitor child inside" -- run -- true
    strikes_end 5
}

test_the_whole_tree_is_killed() {
    begin
    sweep 61 tree any -- run -- true
    strikes_end 5
}

test_a_kept_workload_at_a_terminal_is_killed() {
    begin
    sweep 67 kill "monitor child" -- run --keep always --tty --copy-in ./file:/tmp/file -- cat /tmp/file
    sweep 149 tree any -- run --keep always --tty --copy-in ./file:/tmp/file -- cat /tmp/file
    strikes_end 5
}

test_a_detached_start_is_killed() {
    begin
    sweep 97 tree any -- run --detach -- true
    strikes_end 5
}

test_calls_fail() {
    local errno
    begin
    for errno in ENOSPC ENOMEM EMFILE EIO; do
        sweep 89 "$errno" "cli monitor child" -- run -- true
    done
    sweep 101 EINTR "cli monitor child" -- run -- true
    strikes_end 5
}

test_calls_of_a_kept_workload_fail() {
    local errno
    begin
    for errno in ENOSPC ENOMEM EMFILE EIO; do
        sweep 211 "$errno" "cli monitor child" -- run --keep always --copy-in ./file:/tmp/file -- cat /tmp/file
    done
    strikes_end 5
}

run_tests "$@"
