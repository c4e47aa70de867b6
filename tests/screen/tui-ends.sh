#!/bin/bash
# The terminal interface in terminals inside terminals, and where its terminal, or what works beside it, is gone.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/lib.sh"

program_of_it() { screen_tmux list-panes -F '#{pane_pid}' | xargs pgrep -P | head -1; }
is_gone() { ! kill -0 "$1" 2>/dev/null; }

# The line to another machine is cut: nothing of it stays, and what runs goes on.
test_a_terminal_that_goes_away() {
    local program beside
    need tmux userns
    cofferdam run --detach --tty --name there -- sleep 1000 >/dev/null
    screen_start 80 24 cofferdam
    see "1 running of 1"
    screen_keys Enter
    see "── there"
    program=$(program_of_it)
    beside=$(pgrep -P "$program" -o)
    screen_tmux kill-server
    await "$SCREEN_WAIT" is_gone "$program"
    await "$SCREEN_WAIT" is_gone "$beside"
    expect_equal "$(cofferdam ps | grep -c running)" 1 "running ones"
    kill_all
}

# Stopped output takes no frame: it is ended nevertheless, and the terminal is as it was.
test_a_terminal_that_takes_nothing() {
    need python3
    LC_ALL=C.UTF-8 TERM=xterm-256color timeout 60 python3 - "$COFFERDAM" >said 2>&1 <<'END' || { cat said; fail "it stays"; }
import os, pty, select, signal, sys, termios, time

master, slave = pty.openpty()
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    for fd in range(3):
        os.dup2(slave, fd)
    os.execv(sys.argv[1], [sys.argv[1]])
said = b""
while b"no workloads" not in said:
    said += os.read(master, 65536)
assert termios.tcgetattr(slave)[3] != before[3], "it has not taken the terminal"
termios.tcflow(slave, termios.TCOOFF)
while select.select([master], [], [], 0.5)[0]:
    os.read(master, 65536)
os.write(master, b"?")
os.kill(pid, signal.SIGTERM)
end = time.monotonic() + 30
while True:
    found, status = os.waitpid(pid, os.WNOHANG)
    if found:
        break
    assert time.monotonic() < end, "SIGTERM did not end it"
    time.sleep(0.02)
assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGTERM, status
assert termios.tcgetattr(slave)[:4] == before[:4], "the terminal is left as it was made"
END
}

# What follows on a terminal that has no second screen is not written into its last line.
test_a_terminal_without_another_screen() {
    need tmux
    SCREEN_TERM=linux screen_start 80 24 cofferdam
    see "no workloads"
    screen_keys q
    expect_end 0
    see "[over]"
    screen_text | grep -qx '\[over\]' || { screen_text; fail "on a line of ours"; }
}

# Nobody can clear up behind a kill -9, but what works beside it ends with it.
test_a_program_that_is_killed() {
    local program beside
    need tmux
    screen_start 80 24 cofferdam
    see "no workloads"
    program=$(program_of_it)
    beside=$(pgrep -P "$program" -o)
    kill -KILL "$program"
    expect_end 137
    await "$SCREEN_WAIT" is_gone "$beside"
}

# Whatever works beside it may be killed at any time: it is begun anew.
test_what_works_beside_it_is_killed() {
    local program old i
    need tmux userns
    screen_start 80 24 cofferdam
    see "no workloads"
    program=$(program_of_it)
    for i in 1 2 3; do
        old=$(pgrep -P "$program" -o)
        kill -KILL "$old"
        cofferdam run --detach --tty --name "later$i" -- sleep 1000 >/dev/null
        see "later$i"
        (await "$SCREEN_WAIT" is_gone "$old") || fail "it stays as a zombie"
        [ "$(pgrep -P "$program" -o)" != "$old" ] || fail "it is still the same one"
    done
    screen_keys P
    see "contained"
    screen_keys Escape q
    expect_end 0
    kill_all
}

# As over ssh: GNU screen inside a terminal of tmux's.
test_inside_screen() {
    need tmux userns screen
    one_shell
    mkdir -p -m 0700 "$T/screens"
    SCREEN_ENV=(SCREENDIR="$T/screens")
    screen_start 100 30 screen -c /dev/null -U -T screen-256color "$COFFERDAM"
    see_its_console
    screen_size 60 20
    see "── there"
    screen_keys C-] Tab i
    see "boundary container"
    screen_keys Escape # at once, without a wait for what an Esc may begin
    see "NAME"
    screen_keys q
    see "[screen is terminating]"
    expect_end 0
    kill_all
}

# One key, one step out, from wherever one may be.
test_escape_leads_out() {
    local way
    need tmux userns
    one_shell
    screen_start 100 30 cofferdam
    see "1 running of 1"
    for way in '?' P H I E D t i n o / : K X L; do
        screen_keys "$way"
        see_no "? help  q quit  Enter console"
        screen_keys Escape
        see "? help  q quit  Enter console"
    done
    screen_keys q
    expect_end 0
    kill_all
}

run_tests "$@"
