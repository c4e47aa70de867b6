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
    screen_type 'clear; stty size'
    screen_keys Enter
    see "30 100"
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

# The shell behind the program reads whole lines and echoes again.
stty_is_sane() {
    local tty
    tty=$(screen_tmux display-message -p '#{pane_tty}')
    stty -F "$tty" -a | grep -q ' icanon' && stty -F "$tty" -a | grep -q ' echo '
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
