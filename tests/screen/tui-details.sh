#!/bin/bash
# The terminal interface's pages of one workload, what leaves it as a tar, and what its launch sheet says of its life.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/lib.sh"

# Every page of the details says what it is there for, in little room as in much.
test_every_page_of_the_details() {
    local size
    need tmux userns
    mkdir "$T/shown"
    # shellcheck disable=SC2016 # for the shell inside
    cofferdam run --detach --tty --keep always --pids 200 --mount "$T/shown:/srv/shown" --name looked -- \
        sh -c 'echo 4$((1+1))-said; echo x >/opt/made; exec sh' >/dev/null
    cofferdam exec looked -- true
    cofferdam pause looked >/dev/null
    cofferdam resume looked >/dev/null
    for size in 120x40 40x12; do
        screen_start "${size%x*}" "${size#*x}" cofferdam
        see "1 running of 1"
        screen_keys i
        see "[1 plan]"
        see "created"
        screen_type "/processes " # the limit, not the page
        screen_keys Enter
        see "processes      200"
        see "--pids" # where that came from
        screen_keys 2
        see "has not ended yet"
        screen_lacks "cofferdam report:" || fail "it says what it was called"
        screen_keys 3
        see "42-said"
        screen_keys 4
        see "/opt/made"
        screen_keys 5
        see "processor  "
        see " at most"
        see "sent  "
        screen_keys 6
        see "MEMORY"
        screen_keys 7
        see "no snapshot was taken"
        screen_keys 8
        see "asked for"
        see "/srv/shown"
        screen_keys 9
        see "there is none"
        screen_keys 0
        see "nobody looks"
        screen_keys e
        see "[e events]"
        see "resumed"
        screen_keys Right
        see "[1 plan]"
        screen_keys Escape
        see "NAME"
        screen_keys q
        expect_end 0
    done
    kill_all
}

test_what_it_changed_is_written_to_a_tar() {
    need tmux userns
    cofferdam run --detach --keep always --name left -- sh -c 'echo one >/opt/made; exec sleep 1000' >/dev/null
    cofferdam run --keep always --name right -- sh -c 'echo two >/opt/made' >/dev/null
    screen_start 100 30 cofferdam
    see "1 running of 2"
    screen_keys '*' w
    see "export {} ./{}.tar"
    screen_keys C-u
    screen_type "export {} $T/{}-of.tar"
    screen_keys Enter
    see "1 changed file"
    (await "$SCREEN_WAIT" both_tars) || fail "not both are there"
    screen_keys q
    expect_end 0
    kill_all
    cofferdam rm --force right >/dev/null
}
both_tars() { [ "$(tar xOf "$T/left-of.tar" opt/made 2>/dev/null)$(tar xOf "$T/right-of.tar" opt/made 2>/dev/null)" = onetwo ]; }

# What a choice of the launch sheet is about goes on, and is seen to.
test_a_choice_that_is_cut_says_so() {
    need tmux
    screen_start 40 16 cofferdam
    see "no workloads"
    screen_keys n
    see "the default:…"
    screen_keys Escape
    see_no "the default:"
    screen_keys q
    expect_end 0
}

# Its limits and its life, as the plan has them before anything starts.
test_limits_and_life_in_the_launch_sheet() {
    need tmux userns
    screen_start 100 40 cofferdam
    see "no workloads"
    screen_keys n
    see "< contained >"
    see "time limit"
    screen_type "true"
    screen_keys Down Down Down Down Down Down Down Down
    screen_type 77
    screen_keys Down
    screen_type 30M
    screen_keys Down Down Right Right Right
    see "< always >"
    screen_keys Down Right Right
    see "< on-failure >"
    screen_keys C-p
    see "the plan, before anything starts"
    screen_type "/kept"
    screen_keys Enter
    see "kept           always                      --keep"
    see "restart        on-failure                  --set"
    screen_type "/disk  "
    screen_keys Enter
    see "30.0 MiB"
    see "processes      77"
    screen_keys Escape
    see "start a workload" # and nothing of it is lost
    see "77"
    screen_keys Escape
    see "no workloads"
    screen_keys q
    expect_end 0
}

# Four are done at once; who leaves hears what has not begun.
test_leaving_names_what_waits() {
    local i
    need tmux userns
    trap 'go_on; screen_stop; kill_all' EXIT
    for i in 1 2 3 4 5 6; do
        cofferdam run --detach --set resources.limits=best-effort --name "w$i" -- tail -f /dev/null >/dev/null
        monitor_of "w$i" >>"$T/monitors"
    done
    screen_start 100 30 cofferdam
    trap 'go_on; screen_stop; kill_all' EXIT
    see "6 running of 6"
    xargs kill -STOP <"$T/monitors"
    screen_keys '*' S
    see "at it for"
    screen_keys q
    see "1 more have not begun"
    see "What has begun (4)"
    screen_keys n
    see_no "not begun"
    screen_keys C-c
    see "not begun"
    screen_keys C-c
    expect_end 0
    go_on
    (await "$SCREEN_WAIT" four_snapshots) || fail "what had begun did not go on"
    kill_all
    cofferdam snapshot list --quiet | xargs "$COFFERDAM" snapshot rm --force
}
monitor_of() { cofferdam inspect --json "$1" | json "d['workloads'][0]['state']['monitor_pid']"; }
go_on() { [ ! -e "$T/monitors" ] || xargs kill -CONT <"$T/monitors" 2>/dev/null || :; }
four_snapshots() { [ "$(cofferdam snapshot list --quiet | wc -l)" = 4 ]; }

# A plain dashboard: one picture in the place of the other, cut to the terminal, and a terminal as it was.
test_top_on_a_terminal() {
    local i
    need tmux userns
    screen_start 60 12 cofferdam top
    see "nothing runs"
    expect_end 0
    for i in 1 2 3 4 5 6; do
        cofferdam run --detach --set resources.limits=best-effort --name "top$i" -- tail -f /dev/null >/dev/null
    done
    SCREEN_ENV=(NO_COLOR=1)
    screen_start 200 30 cofferdam stats --watch
    see "NET OUT"
    see "top6"
    cofferdam kill top6 >/dev/null
    see_no "top6" # in its place
    expect_equal "$(screen_text | grep -c NAME)" 1 headings
    screen_size 30 5
    see "and 3 more"
    see_no "NET"
    screen_keys q
    expect_end 0
    screen_start 80 24 env PS1='ready>' bash --norc -i
    see "ready>"
    screen_type "$COFFERDAM top top1"
    screen_keys Enter
    see "top1 "
    screen_keys C-c
    see "ready>" # which it had painted over
    # shellcheck disable=SC2016 # for the shell inside
    screen_type 'echo $((40 + 2))-seen; exit 0'
    screen_keys Enter
    expect_end 0
    see "42-seen" # what is typed is seen again
    cofferdam stats --watch top1 top2 >"$T/pipe" &
    i=$!
    (await "$SCREEN_WAIT" grep -q top2 "$T/pipe") || fail "not both are watched"
    cofferdam rm --force top2 >/dev/null
    (await "$SCREEN_WAIT" goes_on_without_it) || fail "it does not go on with the other one"
    cofferdam rm --force top1 >/dev/null
    wait $i || fail "it does not end with the last one"
    cofferdam run --detach --set resources.limits=best-effort --name top1 -- tail -f /dev/null >/dev/null
    cofferdam stats --watch top1 >"$T/pipe" &
    i=$!
    (await "$SCREEN_WAIT" grep -q top1 "$T/pipe") || fail "nothing goes through a pipe"
    ! grep -q $'\033' "$T/pipe" || fail "a pipe got escape sequences"
    cofferdam kill top1 >/dev/null
    wait $i || fail "it does not end with what it watches"
    kill_all
}
goes_on_without_it() { tail -n 2 "$T/pipe" | head -n 1 | grep -q NAME && tail -n 1 "$T/pipe" | grep -q top1; }

run_tests "$@"
