#!/bin/bash
# Consoles in panes of the terminal interface: several, split, zoomed, looked back in, copied from, saved.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/lib.sh"

start_two() {
    cofferdam run --detach --tty --name first -- sh -c \
        'i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line-$i; done; exec sh' >/dev/null
    cofferdam run --detach --tty --name second -- sh >/dev/null
}

# Without a terminal its pane shows what it writes.
is_shown() { screen_text | grep -qE "line-$1([^0-9]|\$)"; } # no longer number that begins so
open_gate() { timeout 10 sh -c ': >"$1"' sh "$gate/$1" || fail "nobody reads the gate $1"; }
test_the_pane_of_plain_streams() {
    local size gate=$RUN/t/gate
    need tmux userns
    mkdir -p "$gate"
    for size in 80x24 200x50 40x12; do
        rm -f "$gate"/*
        mkfifo "$gate/go" "$gate/end"
        cofferdam run --detach --name plain --mount "$gate:/gate" -- sh -c \
            'i=0; while [ $i -lt 300 ]; do i=$((i+1)); printf "\033[32mline-%d\033[m\n" $i; done
             read -r _ </gate/go; echo "it goes"" on"; read -r _ </gate/end; exit 3' >/dev/null
        screen_start "${size%x*}" "${size#*x}" cofferdam
        see "1 running of 1"
        screen_keys Enter
        see "line-300"
        ! is_shown 2 || fail "not its newest lines"
        open_gate go
        see "it goes on"
        screen_keys Tab
        see "looking back"
        screen_keys / ; screen_type 'INE-17' ; screen_keys Enter
        see "line-179" # the newest of those
        screen_keys g
        await "$SCREEN_WAIT" is_shown 1
        ! is_shown 179 || fail "not its oldest lines"
        screen_keys V y
        see "copied"
        screen_keys '['
        see "looking back"
        screen_keys s C-u ; screen_type "$T/out-$size" ; screen_keys Enter
        see "written to"
        expect_equal "$(wc -l <"$T/out-$size")" 301 "lines in the file"
        expect_equal "$(sed -n 300p "$T/out-$size")" line-300 "a line of the file"
        screen_keys Escape
        open_gate end
        see "status 3"
        see "it goes on" # stays
        screen_keys Escape q
        expect_end 0
        cofferdam rm --force plain >/dev/null 2>&1 || :
    done
}

test_panes_at_every_size() {
    local size
    need tmux userns
    start_two
    for size in 80x24 200x50 400x120; do
        screen_start "${size%x*}" "${size#*x}" cofferdam
        see "2 running of 2"
        screen_keys g j Enter
        see "line-400"
        screen_keys C-] Tab g +
        see "▸ second"
        see "line-400" # still there
        screen_keys C-] '|'
        see "│── ▸ second"
        screen_type 'echo 4$((1+1))-two'
        screen_keys Enter
        see "42-two"
        screen_keys C-] z
        see_no "line-400"
        screen_keys C-] z
        see "line-400"
        screen_keys C-] o
        see "▸ first"
        screen_keys C-] '['
        see "looking back"
        screen_keys g
        see "line-1 "
        screen_keys / ; screen_type 'INE-377' ; screen_keys Enter
        see "line-377"
        screen_keys q
        see "line-400"
        screen_keys C-] x
        see_no "line-400"
        screen_keys q
        expect_end 0
    done
    kill_all
}

test_copy_paste_and_save() {
    need tmux userns
    start_two
    screen_start 100 30 cofferdam
    see "2 running of 2"
    screen_keys g j Enter
    see "line-400"
    screen_keys C-] '[' / ; screen_type 'line-398' ; screen_keys Enter
    see "line-398"
    screen_keys v '$' y
    see "copied"
    screen_type 'echo got-'
    screen_keys C-] p Enter
    see "got-line-398"
    screen_keys C-] '[' s
    see "write it to: first.txt"
    screen_keys C-u ; screen_type "$T/kept.txt" ; screen_keys Enter
    see "written to"
    expect_equal "$(grep -c '^line-' "$T/kept.txt")" 400 "lines saved"
    screen_keys Escape C-] Tab q
    expect_end 0
    kill_all
}

both_answer() { [ "$(screen_text | grep -c '^42-both')" = 2 ]; }
test_typed_into_all_that_are_marked() {
    need tmux userns
    start_two
    screen_start 100 30 cofferdam
    see "2 running of 2"
    screen_keys '*'
    see "2 marked"
    screen_keys g Enter # attaches to each that is marked
    see "── second"
    see "▸ first"
    screen_keys C-] b
    see "typing to all marked"
    screen_type 'echo 4$((1+1))-both' ; screen_keys Enter
    await "$SCREEN_WAIT" both_answer
    screen_keys C-] b
    see "goes to this one alone"
    screen_keys C-] Tab q
    expect_end 0
    kill_all
}

test_a_wheel_and_a_drag() {
    need tmux userns
    start_two
    screen_start 100 30 cofferdam
    see "2 running of 2"
    screen_keys g j Enter
    see "line-400"
    screen_type $'\e[<64;10;20M'
    see "looking back"
    screen_type $'\e[<65;10;20M\e[<65;10;20M'
    see_no "looking back"
    screen_keys C-] Tab q
    expect_end 0
    kill_all
}

run_tests "$@"
