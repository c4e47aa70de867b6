# shellcheck shell=bash
# What a script of the screen ring stands on: the system ring's library, and the real program on a terminal
# of tmux's, read back as text.
#
#     test_it() {
#         need tmux userns
#         screen_start 80 24 cofferdam
#         screen_keys Enter
#         see "some text"
#     }
#
# Nothing sleeps: see() and see_no() look until the text is there, or gone, or half a minute is over: a busy machine
# is slow, and who waits for nothing is not held up. What is waited for has to be new on the screen: a key that is
# sent before the page it is for may reach the page before it.

. "$(dirname "${BASH_SOURCE[0]}")/../system/lib.sh"

SCREEN_WAIT=30 # seconds
SCREEN_LOCALE=C.UTF-8
SCREEN_TERM=xterm-256color
SCREEN_ENV=()
SCREEN_TOUR=no # yes: as at the very first start

# A server for each terminal: the one before may still be on its way out. Its socket's path has to be short.
SCREEN_SOCKET='' SCREEN_COUNT=0
screen_tmux() { tmux -u -S "$RUN/t/$SCREEN_SOCKET" -f /dev/null "$@"; }

# screen_start COLUMNS ROWS COMMAND…: on a new terminal; $T/status holds its status when it has ended.
screen_start() {
    local cols=$1 rows=$2
    shift 2
    screen_stop
    SCREEN_COUNT=$((SCREEN_COUNT + 1))
    SCREEN_SOCKET=tmux$BASHPID.$SCREEN_COUNT
    rm -f "$T/status"
    [ "$SCREEN_TOUR" = yes ] || mkdir -p "$XDG_STATE_HOME/cofferdam/toured"
    [ "$1" != cofferdam ] || set -- "$COFFERDAM" "${@:2}"
    trap 'screen_stop; kill_all' EXIT
    LC_ALL=C.UTF-8 screen_tmux new-session -d -x "$cols" -y "$rows" \
        env LC_ALL="$SCREEN_LOCALE" TERM="$SCREEN_TERM" "${SCREEN_ENV[@]}" \
        bash -c '"${@:2}"; echo $? >"$1.new"; mv "$1.new" "$1"; echo "[over]"; read -r _' \
        bash "$T/status" "$@"
    screen_tmux set-option -g status off >/dev/null
    screen_tmux set-option -g escape-time 0 >/dev/null
    screen_size "$cols" "$rows"
}

screen_stop() { [ -z "$SCREEN_SOCKET" ] || screen_tmux kill-server 2>/dev/null || :; }
screen_keys() { screen_tmux send-keys "$@"; }
screen_type() { screen_tmux send-keys -l "$1"; }
screen_size() { screen_tmux resize-window -x "$1" -y "$2"; }
screen_text() { screen_tmux capture-pane -p; }
screen_looks() { screen_tmux capture-pane -e -p; } # with the escape sequences of its looks

screen_has() { screen_text | grep -qF -e "$1"; }
screen_lacks() { ! screen_has "$1"; }
see() { (await "$SCREEN_WAIT" screen_has "$1") || { screen_text; fail "the screen lacks: $1"; }; }
see_no() { (await "$SCREEN_WAIT" screen_lacks "$1") || { screen_text; fail "the screen has: $1"; }; }

has_ended() { [ -e "$T/status" ]; }
expect_end() {
    (await "$SCREEN_WAIT" has_ended) || { screen_text; fail "it does not end"; }
    expect_equal "$(cat "$T/status")" "$1" status
}

# Nothing but ASCII stands on the screen if the locale has no more.
expect_ascii() {
    [ "$SCREEN_LOCALE" != C ] || ! screen_text | LC_ALL=C grep -q '[^ -~]' ||
        fail "more than ASCII in a locale that has no more"
}

# Ends whatever this test started: one that failed half-way leaves nothing to the next.
kill_all() {
    local folder
    for folder in "$XDG_RUNTIME_DIR"/cofferdam/*/; do
        [ ! -e "$folder/lock" ] || cofferdam rm --force "$(basename "$folder")" >/dev/null 2>&1 || :
    done
}

# A shell called "there"; that it can be typed into, as the only one; and back to the list.
one_shell() { cofferdam run --detach --tty --name there -- sh >/dev/null; }
see_its_console() {
    see "1 running of 1"
    screen_keys Enter
    see "── there"
    screen_type 'echo 4$((1+1))-typed'
    screen_keys Enter
    see "42-typed"
}
