#!/bin/bash
# A console on a person's terminal: run, detach, what is left behind on the screen.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/lib.sh"

test_a_quick_command_leaves_its_output() {
    need tmux userns
    screen_start 80 24 cofferdam run -- echo plain words
    expect_end 0
    see "plain words"
}

test_all_of_a_long_output_is_in_the_scrollback() {
    need tmux userns
    screen_start 80 24 cofferdam run -- sh -c 'seq 1 100; exit 3'
    expect_end 3
    see "100"
    expect_equal "$(screen_tmux capture-pane -p -S - | grep -cE '^[0-9]+$')" 100 lines
}

test_typing_resizing_detaching() {
    need tmux userns
    screen_start 80 24 cofferdam run --name here -- env PS1=ready: sh
    see "ready:"
    screen_type 'stty size'
    screen_keys Enter
    see "24 80"
    screen_size 100 30
    (await "$SCREEN_WAIT" is_as_large 30 100) || { screen_text; fail "it was not told of its size"; }
    screen_keys C-] '?'
    see "ctrl-] d detaches"
    screen_keys C-] d
    expect_end 0
    see "it goes on"
    stty_is_sane || fail "the terminal is still raw"
    screen_start 80 24 cofferdam
    see "here"
    screen_keys K
    see "y/n"
    screen_keys y
    see "no workloads"
}

# The size goes another way than what is typed: that may be there first.
is_as_large() {
    screen_type 'clear; stty size'
    screen_keys Enter
    (SCREEN_WAIT=2 && see "$1 $2") >/dev/null
}

# The shell behind the program reads whole lines and echoes again.
stty_is_sane() {
    local tty
    tty=$(screen_tmux display-message -p '#{pane_tty}')
    stty -F "$tty" -a | grep -q ' icanon' && stty -F "$tty" -a | grep -q ' echo '
}

test_attaching_again_shows_the_same_screen() {
    need tmux userns
    cofferdam run --detach --tty --name again -- sh -c 'echo first words; read -r line; echo "got $line"; exec sleep 1000' >/dev/null
    screen_start 80 24 cofferdam attach again
    see "first words"
    screen_type hello
    screen_keys Enter
    see "got hello"
    screen_keys C-] d
    expect_end 0
    screen_start 100 30 cofferdam attach --read-only again
    see "got hello"
    screen_type x
    see "you only watch"
    screen_keys C-] d
    expect_end 0
}

test_a_monitor_killed_gives_the_terminal_back() {
    need tmux userns
    screen_start 80 24 cofferdam run -- sh -c 'echo up; exec sleep 1000'
    see "up"
    kill -KILL "$(grep -ho '"monitor_pid": *[0-9]*' "$XDG_RUNTIME_DIR"/cofferdam/*/state | grep -o '[0-9]*$')"
    expect_end 125
    see "monitor is gone"
    await "$SCREEN_WAIT" stty_is_sane
    cofferdam prune --force >/dev/null
}

test_no_sequence_of_a_workload_gets_out() {
    need tmux userns
    screen_start 80 24 cofferdam run -- printf '\033]0;stolen\007a\033]52;c;QUFB\007\033[31mred\033[0m\033[3Jb\n'
    expect_end 0
    see "aredb"
    expect_equal "$(screen_tmux display-message -p '#{pane_title}' | grep -c stolen)" 0 "title"
}

test_a_dumb_terminal_gets_lines() {
    need tmux userns
    SCREEN_TERM=dumb
    screen_start 80 24 cofferdam run -- sh -c 'echo one; echo two'
    expect_end 0
    see "one"
    see "two"
    ! screen_looks | grep -q $'\e' || fail "a dumb terminal got sequences"
}

run_tests "$@"
