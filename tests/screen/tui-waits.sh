#!/bin/bash
# The terminal interface waits for nothing but keys: files that do not answer are waited for beside it, and it
# reads none itself.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/lib.sh"

# stalled PATH: an interface for which everything that names this path hangs, in whichever process asks for it, and
# cannot be killed before stalled_end has seen the interface end.
stalled() {
    rm -f "$T/left"
    # shellcheck disable=SC2016 # for the shells below
    screen_start 100 24 bash -c 'echo $$ >"$1/strace"
        exec strace -f --seccomp-bpf -qq -o /dev/null -P "$2" -e trace=%file -e inject=%file:delay_enter=600s \
            bash -c "\"\$1\"; echo \$? >\"\$2/left\"" bash "$3" "$1"' bash "$T" "$1" "$COFFERDAM"
    trap 'stalled_kill; screen_stop; kill_all' EXIT
}
stalled_kill() { kill -KILL "$(cat "$T/strace")" 2>/dev/null || :; }
has_left() { [ -s "$T/left" ]; }
stalled_end() {
    (await "$SCREEN_WAIT" has_left) || { screen_text; fail "it waits for what hangs"; }
    stalled_kill
    expect_equal "$(cat "$T/left")" 0 status
}

need_strace() {
    need tmux strace
    strace -f --seccomp-bpf -qq -o /dev/null -P /nowhere -e trace=%file -e inject=%file:delay_enter=1s true ||
        skip "strace cannot hold up a call here"
}

test_settings_that_hang() {
    need_strace
    stalled "$XDG_CONFIG_HOME/cofferdam/interface.ini"
    see "the disk does not answer"
    screen_keys '?'
    see "cofferdam  help"
    screen_keys Escape P
    see "what it leaves open"
    screen_keys Escape n
    see "the profiles are not read yet"
    screen_keys Escape H
    see "ROOM"
    screen_keys Escape q
    stalled_end
}

test_profiles_that_hang() {
    need_strace
    stalled "$XDG_CONFIG_HOME/cofferdam/profiles"
    see "the disk does not answer"
    screen_keys P
    see "the disk does not answer"
    screen_keys '?'
    see "cofferdam  help"
    screen_keys Escape Escape q
    stalled_end
}

# Which keys lead out of it is in its plan: until that is read, the usual ones do.
test_a_plan_that_hangs() {
    local plan
    need_strace
    need userns
    one_shell
    plan=$(echo "$XDG_RUNTIME_DIR"/cofferdam/*/plan)
    [ -e "$plan" ] || fail "its plan is elsewhere"
    stalled "$plan"
    see_its_console
    screen_keys C-] Tab
    see "Tab console"
    screen_keys q
    stalled_end
    kill_all
}

# The process that has the keys asks for no file of the person's, whatever is looked at. (As it begins
# curses looks for a description of the terminal in the home folder; and whose the runtime folder is, which is memory.)
test_who_has_the_keys_reads_no_file() {
    need_strace
    need userns
    one_shell
    screen_start 100 24 strace -qq -o "$T/calls" -e trace=%file "$COFFERDAM"
    see "1 running of 1"
    screen_keys Enter
    see "── there"
    screen_keys C-] Tab i
    see "boundary container"
    screen_keys 6
    see "processes"
    screen_keys Escape P
    see "what it leaves open"
    screen_keys Escape H
    see "ROOM"
    screen_keys Escape n
    see "< contained >"
    screen_keys Escape t
    see " processor "
    screen_keys Escape q
    expect_end 0
    ! grep -F "\"$RUN" "$T/calls" | grep -v '/\.terminfo"' | grep -vF "\"$XDG_RUNTIME_DIR\"" || fail "it names files itself"
    kill_all
}

# The process that has the keys is at rest: four of its turns, whole ones, each a second after the one before. What
# it has asked for as a page was opened may still wake it before that.
four_turns() { # from this line on
    [ "$(tail -n +"$1" "$T/calls" | grep -c ' poll(')" -ge 6 ] || return
    tail -n +"$1" "$T/calls" | awk '/ poll\(/ { if (++n > 5) exit } n > 1 { print }' >"$T/turns"
}
is_at_rest() {
    local from
    from=$(($(wc -l <"$T/calls") + 1))
    (await 60 four_turns "$from") || return
    awk '/ poll\(/ { if (!n++) first = $1; last = $1 } END { exit !(n == 4 && last - first > (n - 1) * 0.97) }' "$T/turns"
}
expect_rest() { (await 60 is_at_rest) || { cat "$T/turns"; fail "$1: it wakes up more often than once a second"; }; }
expect_not_drawn() { ! grep -F 'write(1,' "$T/turns" || fail "$1: something is drawn"; }
expect_not_asked() { ! grep -E 'send(to|msg)\(' "$T/turns" || fail "$1: what is not seen is asked for"; }
watched() {
    screen_start 100 24 strace -qq -ttt -o "$T/calls" -e trace=poll,write,sendto,sendmsg "$COFFERDAM"
}

test_nothing_changes_nothing_is_drawn() {
    local page
    need_strace
    watched
    see "no workloads"
    for page in P H I '?'; do
        screen_keys "$page"
        see_no "no workloads"
        screen_keys Escape
        see "no workloads"
    done
    expect_rest "nothing there"
    expect_not_drawn "nothing there"
    screen_keys q
    expect_end 0
}

test_what_is_not_seen_is_not_sampled() {
    local i page
    need_strace
    need userns
    for i in 1 2 3; do
        cofferdam run --detach --tty --name "there$i" -- sleep 1000 >/dev/null
    done
    watched
    see "3 running of 3"
    see "KiB"
    expect_rest "three workloads"
    grep -qE 'send(to|msg)\(' "$T/turns" || fail "what is seen is not asked for"
    for page in '?' P n; do
        screen_keys "$page"
        see_no "MEMORY"
        expect_rest "the page $page"
        expect_not_drawn "the page $page"
        expect_not_asked "the page $page"
        screen_keys Escape
        see "MEMORY"
    done
    screen_keys Enter
    see "── there"
    expect_rest "a console beside the list"
    screen_keys C-] z
    see_no "MEMORY"
    expect_rest "a console by itself"
    expect_not_drawn "a console by itself"
    screen_keys C-] z C-] x
    see_no "── there"
    expect_rest "its console is closed"
    screen_keys q
    expect_end 0
    kill_all
}

# Who edits has the terminal; what happens meanwhile is heard of all the same.
test_an_editor_holds_nothing_up() {
    need tmux userns
    mkfifo "$T/go"
    printf '#!/bin/sh\necho in-the-editor; read -r _ <"%s"; exit 0\n' "$T/go" >"$T/editor"
    chmod +x "$T/editor"
    SCREEN_ENV=(EDITOR="$T/editor" VISUAL=)
    screen_start 100 24 cofferdam
    see "no workloads"
    screen_keys P e
    see "in-the-editor"
    cofferdam run --detach --tty --name meanwhile -- sh >/dev/null
    timeout 10 sh -c ': >"$1"' sh "$T/go" || fail "the editor does not wait"
    see "what it leaves open"
    screen_keys Escape
    see "meanwhile"
    screen_keys q
    expect_end 0
    kill_all
}

# What cannot be read says so in its place: there it is neither waited for, nor is there nothing.
test_what_cannot_be_read_is_said() {
    local name state=$XDG_STATE_HOME/cofferdam
    need tmux
    mkdir -p "$state"
    for name in workloads snapshots; do
        [ ! -e "$state/$name" ] || mv "$state/$name" "$T/$name"
        : >"$state/$name"
    done
    screen_start 100 24 cofferdam
    see "cannot read"
    see_no "looking"
    screen_keys H
    see "snapshots  cannot be read"
    screen_keys Escape
    for name in workloads snapshots; do
        rm "$state/$name"
        [ ! -e "$T/$name" ] || mv "$T/$name" "$state/$name"
    done
    see "no workloads"
    screen_keys H
    see "snapshots  0, 0 B"
    screen_keys Escape q
    expect_end 0
}

# Each answer of doctor stands there as it comes, and what has not come is told apart.
test_doctor_shows_each_answer() {
    need tmux runc
    mkdir "$T/bin"
    mkfifo "$T/go"
    # shellcheck disable=SC2016 # for the shell
    printf '#!/bin/sh\nread -r _ <"%s"\necho "crun version 0"\n' "$T/go" >"$T/bin/crun"
    chmod +x "$T/bin/crun"
    SCREEN_ENV=(PATH="$T/bin:$PATH" LIBVIRT_AUTOSTART=0)
    screen_start 100 200 cofferdam
    see "no workloads"
    screen_keys D
    some_of_it() { screen_text | tr '\n' '~' | grep -qE 'this host~.*Linux .*crun: [^~]*~ +looking…~'; }
    (await "$SCREEN_WAIT" some_of_it) || { screen_text; fail "nothing is seen before all is"; }
    see_no "looking…"
    see "it does not answer"
    see "✓ runc version"
    screen_keys '/'
    screen_type "gVisor:"
    screen_keys Enter q
    expect_end 0
}

# Whoever leaves its page leaves nothing of it behind, in the middle of a question as well.
test_doctor_ends_what_it_asks() {
    local pid
    need tmux
    mkdir "$T/bin"
    # shellcheck disable=SC2016 # for the shell
    printf '#!/bin/sh\necho $$ >"%s"\nexec sleep 1000\n' "$T/asked" >"$T/bin/crun"
    chmod +x "$T/bin/crun"
    SCREEN_ENV=(PATH="$T/bin:$PATH" LIBVIRT_AUTOSTART=0)
    screen_start 100 24 cofferdam
    see "no workloads"
    screen_keys D
    is_asked() { [ -s "$T/asked" ]; }
    (await "$SCREEN_WAIT" is_asked) || fail "crun is not asked"
    pid=$(cat "$T/asked")
    screen_keys q
    expect_end 0
    is_gone() { ! kill -0 "$pid" 2>/dev/null; }
    (await "$SCREEN_WAIT" is_gone) || { kill -KILL "$pid"; fail "it is asked still"; }
}

# What is good and what is missing are told apart where there is no tick and no cross.
test_doctor_in_ascii() {
    need tmux userns
    mkdir "$T/bin"
    printf '#!/bin/sh\nexit 3\n' >"$T/bin/crun"
    chmod +x "$T/bin/crun"
    SCREEN_LOCALE=C
    SCREEN_ENV=(PATH="$T/bin:$PATH" LIBVIRT_AUTOSTART=0)
    screen_start 100 200 cofferdam
    see "no workloads"
    screen_keys D
    see "+ user namespaces"
    see "x crun"
    expect_ascii
    screen_keys q
    expect_end 0
}

run_tests "$@"
