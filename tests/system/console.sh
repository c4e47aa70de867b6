#!/bin/bash
# Terminals: what is shown, who types, what never reaches the person's terminal.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

says() { cofferdam logs "$1" 2>/dev/null | grep -qF -e "$2"; }

test_a_terminal_has_a_size_and_a_name() {
    need userns
    cofferdam run -d --tty --name sized -- sh -c 'tty; stty size; sleep 1000' >/dev/null
    await 10 says sized /dev/pts/0
    await 10 says sized '24 80'
    cofferdam kill sized
}

test_the_log_of_a_terminal_is_plain_text() {
    need userns
    cofferdam run -d --tty --name plain -- \
        sh -c 'printf "\033[31mred\033[0m \033]0;title\007\033]52;c;c3RvbGVu\007\nend"; sleep 1000' >/dev/null
    await 10 says plain end
    capture cofferdam logs plain
    expect_out "$(printf 'red\nend')"
    cofferdam kill plain
}

test_scrollback_is_kept_and_bounded() {
    need userns
    cofferdam run -d --tty --name long --set console.scrollback=100 -- sh -c 'seq 1 1000; sleep 1000' >/dev/null
    await 10 says long 1000
    capture cofferdam logs long
    expect_out_has 999
    [ "$(wc -l <"$T/out")" -le 124 ] || fail "more than scrollback and screen"
    expect_out_lacks 500
    cofferdam kill long
}

test_a_record_is_raw_and_never_for_a_terminal() {
    need userns
    capture cofferdam run --tty --name rec --keep always --set console.record=yes -- printf '\033[1mbold'
    capture cofferdam logs --raw rec
    expect_status 0
    expect_out_has "$(printf '\033[1mbold')"
    if have script; then
        script -qec "$COFFERDAM logs --raw rec" typed >/dev/null </dev/null || :
        grep -q 'only to a file' typed || fail "--raw wrote to a terminal"
    fi
    cofferdam rm -f rec
}

test_attach_shows_the_screen_and_leaves_with_the_chord() {
    need userns script
    cofferdam run -d --tty --name shown -- sh -c 'echo greetings; exec cat' >/dev/null
    await 10 says shown greetings
    mkfifo keys
    script -qfec "$COFFERDAM attach shown" typed <keys >/dev/null &
    local viewer=$!
    exec 7>keys
    await 10 grep -q greetings typed
    printf 'typed words\r' >&7
    await 10 says shown 'typed words'
    printf '\035d' >&7
    wait $viewer
    exec 7>&-
    capture cofferdam ps
    expect_out_has shown
    cofferdam kill shown
}

# Typed before anybody asks for it, and left at once.
test_what_is_typed_in_a_hurry_arrives() {
    need userns script
    cofferdam run -d --tty --name hurry -- sh -c 'echo greetings; exec cat' >/dev/null
    await 10 says hurry greetings
    mkfifo keys
    exec 7<>keys
    for word in one two three four five; do
        printf '%s,\035d' "$word" >&7
        TERM=xterm timeout 60 script -qfec "$COFFERDAM attach hurry" /dev/null <&7 >typed
    done
    exec 7>&-
    await 10 says hurry 'one,two,three,four,five,'
    cofferdam kill hurry
}

test_a_stopped_viewer_costs_nothing() {
    need userns
    cofferdam run --name held -- sh -c 'echo up; read x </dev/null; sleep 1000' >out &
    local first=$!
    await 10 grep -q up out
    cofferdam attach --read-only held >seen </dev/null &
    local viewer=$!
    await 10 grep -q up seen
    kill -STOP $viewer
    cofferdam exec held -- sh -c 'head -c 30000000 /dev/zero | tr "\0" x' >many
    expect_equal "$(wc -c <many)" 30000000 bytes
    kill -CONT $viewer
    cofferdam kill held
    wait $first || :
    wait $viewer || :
}

test_a_flood_moves_no_memory() {
    need userns
    cofferdam run -d --tty --name flood -- sh -c 'yes "a line of some length, again and again"' >/dev/null
    local pid
    pid=$(cofferdam inspect --json flood | sed -n 's/^ *"monitor_pid": *\([0-9]*\).*/\1/p')
    await 10 says flood 'a line'
    await 10 sh -c "[ \$(\"$COFFERDAM\" logs flood | wc -l) -gt 900 ]"
    before=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
    local again
    for again in 1 2 3 4 5 6 7 8 9 10; do says flood 'a line' || fail "round $again"; done
    after=$(awk '/VmRSS/ { print $2 }' "/proc/$pid/status")
    [ $((after - before)) -lt 1024 ] || fail "the monitor grew from $before to $after KiB"
    cofferdam kill flood
}

run_tests "$@"
