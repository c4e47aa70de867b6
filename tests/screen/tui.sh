#!/bin/bash
# The terminal interface, driven by keys and read back as text.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/lib.sh"

RUNNING="running  " # in a row of the list; the title says "1 running of 1"
SIZES="80x24 200x50 40x12"

# tour COLS ROWS: through every page, with one workload.
tour() {
    local cols=$1 rows=$2
    screen_start "$cols" "$rows" cofferdam
    see "no workloads; n starts one"
    screen_keys '?'
    see "cofferdam  help"
    see "Enter"
    expect_ascii
    screen_keys Escape
    see "no workloads"
    screen_keys P
    see "contained"
    see "boundary container"
    expect_ascii
    screen_keys Escape n
    see "start a workload"
    see "command"
    see "container" # the dial
    screen_type "sh -c 'echo \$((20 + 1))-inside; exec sh'"
    expect_ascii
    screen_keys Enter
    see "21-inside" # its console opened by itself, and has the keys
    see "ctrl-] Tab"
    see "$RUNNING"
    expect_ascii
    screen_type 'echo $((40 + 2))-typed'
    screen_keys Enter
    see "42-typed"
    screen_keys C-] Tab
    screen_keys i
    see "created"
    expect_ascii
    screen_keys Escape
    see "NAME"
    screen_keys p
    see "paused"
    screen_keys p
    see "$RUNNING"
    screen_keys /
    screen_type "nothing-like-it"
    see "nothing passes the filter"
    screen_keys Escape
    see_no "nothing passes the filter"
    screen_keys K
    see "?"
    see "y/n"
    screen_keys n
    see_no "y/n"
    see "$RUNNING"
    screen_keys K
    see "y/n"
    screen_keys y
    see "no workloads"
    screen_keys q
    expect_end 0
    see "[over]"
    # A VT100 has no other screen to go back from.
    [ "$SCREEN_TERM" = vt100 ] || screen_lacks "running" || fail "the interface left its page behind"
}

tour_all_sizes() {
    local size
    need tmux userns
    for size in $SIZES; do
        echo "at $size, $SCREEN_TERM, $SCREEN_LOCALE"
        tour "${size%x*}" "${size#*x}"
    done
}

test_every_page_in_utf8_and_colour() { tour_all_sizes; }

test_every_page_in_ascii_and_without_colour() {
    SCREEN_LOCALE=C
    SCREEN_ENV=(NO_COLOR=1)
    tour_all_sizes
}

test_every_page_on_a_monochrome_terminal() {
    SCREEN_TERM=vt100
    SIZES=80x24
    tour_all_sizes
}

test_no_color_means_none() {
    need tmux userns
    SCREEN_ENV=(NO_COLOR=1)
    cofferdam run --detach --tty -- sleep 1000 >/dev/null
    screen_start 80 24 cofferdam
    see "$RUNNING"
    ! screen_looks | grep -q $'\e\[[0-9;]*[34][0-7]m' || fail "there are colours"
    kill_it
}

# The only one there is killed through the interface.
kill_it() {
    screen_keys K
    see "y/n"
    screen_keys y
    see "no workloads"
    screen_keys q
    expect_end 0
}

test_a_hostile_workload_stays_in_its_pane() {
    need tmux userns
    cofferdam run --detach --tty --name evil -- sh -c \
        'printf "\033]0;stolen\007\033[2J\033[H\033[1;1Hcorner\033[999;999Hend\033[?1049h\033[?25lALT\033]52;c;QUFB\007\033[6n"; exec sleep 1000' \
        >/dev/null
    screen_start 80 24 cofferdam
    see "evil"
    screen_keys Enter
    see "ALT"
    screen_text | head -1 | grep -q "cofferdam  workloads" || fail "the title bar was overwritten"
    expect_equal "$(screen_tmux display-message -p '#{pane_title}' | grep -c stolen)" 0 "title"
    screen_keys C-] Tab
    kill_it
}

test_a_refused_launch_can_be_mended() {
    need tmux userns
    screen_start 80 24 cofferdam
    see "no workloads"
    screen_keys n
    see "< contained >"
    screen_type "sh -c 'echo 4\$((1+1))-inside; exec sh'"
    screen_keys Down Down # past the dial, to the profiles
    until screen_has "< legacy-os >"; do
        screen_keys Right
        see "<"
    done
    see "It cannot be started here" # said before it is tried
    screen_keys Enter
    see "disk:PATH" # the end of it, however long it is
    see "-inside"            # and what was typed is still there
    until screen_has "< contained >"; do
        screen_keys Left
        see "<"
    done
    screen_keys Enter
    see "42-inside"
    screen_keys C-] Tab
    kill_it
}

# However short it is, its last screen and how it ended stay until they are closed.
test_a_short_command_is_seen_whole() {
    need tmux userns
    screen_start 80 24 cofferdam
    see "no workloads"
    screen_keys n
    see "< contained >"
    screen_type "sh -c 'stty size; echo 4\$((1+1))-inside; exit 3'"
    screen_keys Enter
    see "(ended with status 3)"
    see "42-inside"
    see "18 80" # the size of its pane, from its first moment
    see "no workloads"
    see "Esc close it"
    screen_keys j Tab
    see "42-inside"
    screen_keys n
    see "< contained >"
    screen_type "true"
    screen_keys Enter
    see "(ended with status 0)"
    screen_lacks "42-inside" || fail "the next one shows what the last one wrote"
    screen_keys Escape
    see_no "ended with"
    screen_keys n
    see "< contained >"
    screen_type "no-such-program"
    screen_keys Enter
    see "no-such-program"
    see "< contained >" # to be mended
    screen_keys Escape
    see "no workloads"
    screen_keys q
    expect_end 0
}

test_leaving_ends_nothing() {
    need tmux userns
    screen_start 80 24 cofferdam
    see "no workloads"
    screen_keys n
    see "< contained >"
    screen_type "sh -c 'echo 4\$((1+1))-inside; exec sleep 1000'"
    screen_keys Enter
    see "42-inside"
    screen_keys C-] Tab q
    expect_end 0
    expect_equal "$(cofferdam ps | grep -c running)" 1 "running ones"
    kill_all
}

test_resize_at_any_time() {
    need tmux userns
    cofferdam run --detach --tty --name sized -- sh -c 'trap "stty size" WINCH; while :; do read -r _; done' >/dev/null
    screen_start 80 24 cofferdam
    see "sized"
    screen_keys Enter
    see "── sized"
    screen_size 30 8
    see "too small"
    screen_size 120 40
    see "── sized"
    screen_keys Enter
    see "120"
    screen_size 40 12
    see "── sized"
    screen_keys C-] Tab
    kill_it
}

test_a_monitor_that_hangs_is_said_and_holds_nothing_up() {
    local pid
    need tmux userns
    cofferdam run --detach --tty --name hung -- sleep 1000 >/dev/null
    screen_start 80 24 cofferdam
    see "$RUNNING"
    pid=$(grep -ho '"monitor_pid": *[0-9]*' "$XDG_RUNTIME_DIR"/cofferdam/*/state | grep -o '[0-9]*$')
    kill -STOP "$pid"
    see "no answer"
    screen_keys '?' # keys go on working
    see "cofferdam  help"
    screen_keys Escape
    kill -CONT "$pid"
    see_no "no answer"
    see "$RUNNING"
    kill_it
}

test_removing_what_lives_and_what_is_lost() {
    need tmux userns
    cofferdam run --detach --tty --name alive -- sleep 1000 >/dev/null
    screen_start 80 24 cofferdam
    see "alive"
    screen_keys x
    see "will be killed"
    screen_keys y
    see "no workloads"
    cofferdam run --detach --tty --name orphan -- sleep 1000 >/dev/null
    see "orphan"
    kill -KILL "$(grep -ho '"monitor_pid": *[0-9]*' "$XDG_RUNTIME_DIR"/cofferdam/*/state | grep -o '[0-9]*$')"
    see "lost"
    screen_keys x
    see "y/n"
    screen_keys y
    see "no workloads"
    screen_keys q
    expect_end 0
}

test_a_signal_gives_the_terminal_back() {
    need tmux
    screen_start 80 24 cofferdam
    see "no workloads"
    kill -TERM "$(screen_tmux list-panes -F '#{pane_pid}' | xargs pgrep -P | head -1)"
    expect_end 143
    see "[over]"
}

test_a_terminal_that_cannot_do_it_is_said() {
    need tmux
    SCREEN_TERM=dumb
    screen_start 80 24 cofferdam
    see "cannot move its cursor"
    expect_end 125
}

test_no_terminal_is_said() {
    capture cofferdam
    expect_status 125
    expect_err_has "terminal"
}

run_tests "$@"
