#!/bin/bash
# kill -9 and failing calls at the steps of making, cloning, restoring and removing snapshots: each is there
# and whole, or it is not there; the workload goes on; prune leaves nothing.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/system/strikes.sh
. "$(dirname "$0")/strikes.sh"

FILES=40
PLACE=${XDG_STATE_HOME:-}/cofferdam/snapshots

inside() { cofferdam exec web -- sh -c "$1"; }
is_ready() { cofferdam logs web | grep -q ready; }
listed() { cofferdam snapshot list --quiet; }
end_all() {
    local ids
    cofferdam rm --force web >/dev/null 2>&1 || :
    ids=$(listed) || :
    # shellcheck disable=SC2086 # ids are words
    [ -z "$ids" ] || cofferdam snapshot rm --recursive --force $ids >/dev/null || :
}

# begin RUNTIME [ended]: a workload called web with some files, which runs or has ended.
begin() {
    need userns
    [ "$1" = native ] || need "$1"
    strikes_begin
    RT=$1
    trap end_all EXIT
    local make="cd /opt; n=0; while [ \$n -lt $FILES ]; do echo \$n >f\$n; n=\$((n+1)); done" how=(--detach)
    if [ -z "${2:-}" ]; then make="$make; echo ready; exec tail -f /dev/null"; else how=(--keep always); fi
    RUNS=${2:+no}
    cofferdam run --set resources.limits=best-effort --runtime "$RT" --name web "${how[@]}" -- sh -c "$make" >/dev/null
    [ -n "$RUNS" ] || await 10 is_ready
    before_strike() { :; }
    ROOM=$(list_ours)
}

# one: the snapshot all strikes are about, made again where a strike has taken it.
with_one() {
    before_strike() { listed | grep -q . || cofferdam snapshot create web --name one >/dev/null; }
    before_strike
}

# What may be there: the workload's own, and snapshots.
list_ours() {
    find "$XDG_RUNTIME_DIR/cofferdam" "$XDG_STATE_HOME/cofferdam/workloads" -mindepth 1 -maxdepth 1 \
        ! -name ids ! -name .names ! -name '.name-*' 2>/dev/null | sort
    list_mounts | sort
}

after_strike() {
    local what=$1 id left
    cofferdam snapshot list --json >list 2>errors || complain "$what" "snapshot list: $(cat errors)"
    cofferdam ps --all --json >living 2>errors || complain "$what" "ps: $(cat errors)"
    [ -n "$RUNS" ] || [ "$(inside 'echo on' 2>&1 | tee said-inside)" = on ] || complain "$what" "it does not go on: $(cat said-inside)"
    cofferdam prune --force >/dev/null 2>errors || complain "$what" "prune: $(cat errors)"
    for id in $(listed); do
        [ "$(find "$PLACE/$id/files" -name 'f[0-9]*' | wc -l)" = "$FILES" ] || complain "$what" "$id is not whole"
    done
    left=$(find "$PLACE" -mindepth 1 -maxdepth 1 -name '.*' 2>/dev/null)
    [ -z "$left" ] || complain "$what" "half a snapshot: $left"
    [ -n "$RESTORES" ] || left=$(comm -13 <(echo "$ROOM") <(list_ours))
    [ -z "$left" ] || complain "$what" "left behind: $left"
    [ -z "$DROPS" ] || for id in $(listed); do cofferdam snapshot rm --force "$id" >/dev/null; done
}
DROPS='' RESTORES=''

strike_create() {
    begin "$1"
    DROPS=yes
    sweep 71 kill "cli monitor" -- snapshot create web --name try
    sweep 127 tree any -- snapshot create web --name try
    local errno
    for errno in ENOSPC EIO EMFILE; do sweep 197 "$errno" "cli monitor" -- snapshot create web --name try; done
    strikes_end 5
}

strike_rm() {
    begin "$1"
    with_one
    sweep 41 kill cli -- snapshot rm --force one
    sweep 43 EIO cli -- snapshot rm --force one
    strikes_end 5
}

strike_clone() {
    begin "$1"
    with_one
    sweep 131 kill "cli monitor" -- clone one --name twin -- true
    sweep 409 tree any -- clone one --name twin -- true
    strikes_end 5
}

strike_restore() {
    begin "$1" ended
    RESTORES=yes
    cofferdam snapshot create web --name one >/dev/null
    sweep 163 kill "cli monitor" -- snapshot restore one --force
    sweep 509 tree any -- snapshot restore one --force
    [ "$(listed | wc -l)" = 1 ] || complain restore 'the snapshot is gone'
    strikes_end 5
}

test_making_native() { strike_create native; }
test_making_behind_crun() { strike_create crun; }
test_removing() { strike_rm native; }
test_cloning_native() { strike_clone native; }
test_cloning_behind_crun() { strike_clone crun; }
test_restoring_native() { strike_restore native; }
test_restoring_behind_crun() { strike_restore crun; }

# Who holds the lock of one is known by the kernel: a command killed in mid-work blocks nobody.
test_the_lock_of_the_killed() {
    begin native
    cofferdam snapshot create web --name one >/dev/null
    local n
    for n in 40 80 120; do
        "$KILL_AT" cli "$n" kill "$COFFERDAM" clone one --name twin -- true </dev/null >said 2>&1 || :
        cofferdam prune --force >/dev/null
    done
    cofferdam snapshot rm one --force >/dev/null # nobody is said to use it
    expect_equal "$(listed)" '' snapshots
}

run_tests "$@"
