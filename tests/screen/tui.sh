#!/bin/bash
# The terminal interface, driven by keys and read back as text.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/lib.sh"

RUNNING="running  " # in a row of the list; the title says "1 running of 1"
SIZES="80x24 200x50 40x12 400x120"

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
    screen_keys t
    see " processor "
    see "the top is 100%"
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

# As many colours as terminals have: 8, 16, 256, all.
test_every_page_in_each_number_of_colours() {
    local term
    SIZES=80x24
    for term in xterm xterm-16color tmux-256color xterm-direct; do
        ! infocmp "$term" >/dev/null 2>&1 || { SCREEN_TERM=$term; tour_all_sizes; }
    done
}

test_a_profile_is_edited_and_its_mistake_shown() {
    need tmux
    printf '#!/bin/sh\nsed -i "s/^description.*/description = mine/" "$1"; echo in-the-editor; read -r _\n' >"$T/good"
    printf '#!/bin/sh\necho "memry = 1" >>"$1"\n' >"$T/bad"
    chmod +x "$T/good" "$T/bad"
    SCREEN_ENV=(EDITOR="$T/bad" VISUAL=)
    screen_start 80 24 cofferdam
    see "no workloads"
    screen_keys P
    see "contained"
    screen_keys e
    see "that cannot be read"
    see "| memry = 1" # at its line
    see "the draft stays"
    screen_keys Escape
    see "contained"
    screen_keys q
    expect_end 0
    rm "$XDG_CONFIG_HOME"/cofferdam/profiles/*.edit
    SCREEN_ENV=(EDITOR="$T/good" VISUAL=)
    screen_start 80 24 cofferdam
    see "no workloads"
    screen_keys P e
    see "in-the-editor"
    screen_lacks "what it leaves open" || fail "the editor has no screen of its own"
    screen_keys C-z # for the editor, and nothing else
    screen_size 100 30
    screen_lacks "what it leaves open" || fail "ctrl-Z paints into the editor"
    screen_keys Enter
    see "what it leaves open"
    screen_keys q
    expect_end 0
    grep -q '^description = mine' "$XDG_CONFIG_HOME"/cofferdam/profiles/contained.ini || fail "it was not saved"
    rm -r "$XDG_CONFIG_HOME/cofferdam/profiles"
}

test_stopped_and_gone_on() {
    need tmux
    local tty shell=(bash --norc -i)
    screen_start 80 24 "${shell[@]}"
    screen_type "PS1='ready> '; $COFFERDAM"
    screen_keys Enter
    see "no workloads"
    screen_type ":stats"
    tty=$(screen_tmux list-panes -F '#{pane_tty}')
    kill -TSTP "$(pgrep -t "${tty#/dev/}" -o -x -f "$COFFERDAM")"
    see "Stopped"
    screen_type 'echo $((40 + 2))-typed'
    screen_keys Enter
    see "42-typed"
    screen_type "fg"
    screen_keys Enter
    see "cofferdam  workloads"
    screen_keys Escape C-z # the key does it, too
    see_no "cofferdam  workloads"
    screen_type 'echo $((40 + 3))-typed'
    screen_keys Enter
    see "43-typed"
    screen_type "fg"
    screen_keys Enter
    see_no "43-typed"
    see "cofferdam  workloads"
    screen_keys q
    see_no "cofferdam  workloads"
    screen_type "exit 0"
    screen_keys Enter
    expect_end 0
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

# turn_to PROFILE KEY: one by one, each seen before the next.
turn_to() {
    local now
    while now=$(screen_text | grep -o '< [a-z-]* >' | head -1) && [ "$now" != "< $1 >" ]; do
        screen_keys "$2"
        see_no "$now"
    done
}

test_a_refused_launch_can_be_mended() {
    need tmux userns
    screen_start 80 24 cofferdam
    see "no workloads"
    screen_keys n
    see "< contained >"
    screen_type "sh -c 'echo 4\$((1+1))-inside; exec sh'"
    screen_keys Down Down # past the dial, to the profiles
    turn_to legacy-os Right
    see "It cannot be started here" # said before it is tried
    screen_keys Enter
    see "disk:PATH" # the end of it, however long it is
    see "-inside"            # and what was typed is still there
    turn_to contained Left
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

test_its_processes_are_told() {
    need tmux userns
    cofferdam run --detach --tty --name several -- sh -c 'sleep 12345 & exec sleep 54321' >/dev/null
    screen_start 100 30 cofferdam
    see "$RUNNING"
    screen_keys i
    see "created"
    screen_keys 6
    see "several: processes"
    see "sleep 12345"
    see "sleep 54321"
    cofferdam exec several sleep 999 & # told anew by itself
    see "sleep 999"
    screen_keys Escape
    see "NAME"
    screen_keys q
    expect_end 0
    kill_all
}

test_a_tour_at_the_first_start_alone() {
    local size
    need tmux
    SCREEN_TOUR=yes
    for size in 40x12 80x24; do
        rm -rf "$XDG_STATE_HOME/cofferdam/toured"
        screen_start "${size%x*}" "${size#*x}" cofferdam
        see "tour, 1 of 5"
        see "unless you start it." # all of the step
        see "no workloads"
        screen_keys Right
        see "costs."
        screen_keys Right
        see "this machine"
        screen_keys Right
        see "asked once, by name"
        screen_keys Left
        see "its console, to type into"
        screen_keys '?' # every other key does what it does
        see "cofferdam  help"
        screen_keys Escape
        see "its console, to type into"
        screen_keys Right Right
        see "5 of 5"
        see "what runs goes on"
        screen_keys Right
        see ":tour shows it again"
        see_no "5 of 5"
        screen_keys q
        expect_end 0
    done
    screen_start 80 24 cofferdam
    see "no workloads"
    screen_lacks "1 of 5" || fail "it is shown a second time"
    screen_keys P
    see "contained"
    screen_keys : ; screen_type "tou"
    see "the first start"
    screen_keys Tab
    screen_keys Enter
    see "1 of 5"
    screen_keys Escape
    see_no "1 of 5"
    screen_keys q
    expect_end 0
    rm -r "$XDG_STATE_HOME/cofferdam/toured"
    screen_start 80 24 cofferdam
    see "1 of 5"
    screen_keys Escape # leads out at once
    see_no "1 of 5"
    see "P  profiles"
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
    # shellcheck disable=SC2064 # a failure does not know it any more; what does not answer cannot be removed
    trap "kill -CONT $pid 2>/dev/null || :; screen_stop; kill_all" EXIT
    kill -STOP "$pid"
    see "no answer"
    screen_keys '?' # keys go on working
    see "cofferdam  help"
    screen_keys Escape
    kill -CONT "$pid"
    see_no "no answer"
    see "$RUNNING"
    screen_keys Enter # its console says it, too, with nothing beside it
    see "── hung"
    screen_keys C-] z
    see_no "MEMORY"
    kill -STOP "$pid"
    see "── hung  (its monitor does not answer)"
    kill -CONT "$pid"
    see_no "does not answer"
    screen_keys C-] Tab
    kill_it
}

# The process that reads files stands for a disk, or a server, that does not answer.
test_a_disk_that_hangs_is_said_and_holds_nothing_up() {
    local program reader
    need tmux userns
    cofferdam run --detach --tty --name there -- sleep 1000 >/dev/null
    screen_start 100 24 cofferdam
    see "$RUNNING"
    program=$(screen_tmux list-panes -F '#{pane_pid}' | xargs pgrep -P | head -1)
    reader=$(pgrep -P "$program" -o -x -f "$COFFERDAM") # not the one that watches domains
    kill -STOP "$reader"
    see "the disk does not answer"
    screen_keys '?'
    see "cofferdam  help"
    screen_keys Escape Enter
    see "── there"
    screen_keys C-] Tab Escape
    kill -CONT "$reader"
    see_no "the disk does not answer"
    kill -KILL "$reader" # another one comes
    cofferdam run --detach --tty --name later -- sleep 1000 >/dev/null
    see "later"
    screen_keys q
    expect_end 0
    kill_all
}

test_removing_what_lives_and_what_is_lost() {
    need tmux userns
    cofferdam run --detach --tty --name alive -- sleep 1000 >/dev/null
    screen_start 80 24 cofferdam
    see "alive"
    screen_keys X
    see "will be killed"
    screen_keys y
    see "no workloads"
    cofferdam run --detach --tty --name orphan -- sleep 1000 >/dev/null
    see "orphan"
    kill -KILL "$(grep -ho '"monitor_pid": *[0-9]*' "$XDG_RUNTIME_DIR"/cofferdam/*/state | grep -o '[0-9]*$')"
    see "lost"
    screen_keys X
    see "y/n"
    screen_keys y
    see "no workloads"
    screen_keys q
    expect_end 0
}

program_of_it() { screen_tmux list-panes -F '#{pane_pid}' | xargs pgrep -P | head -1; }
terminal_is_back() {
    local tty
    see "[over]"
    tty=$(screen_tmux display-message -p '#{pane_tty}')
    stty -F "$tty" -a | grep -q ' icanon' || fail "$1: the terminal is still raw"
    stty -F "$tty" -a | grep -q ' echo ' || fail "$1: the terminal does not echo"
    screen_lacks "no workloads" || fail "$1: its page is left behind"
    expect_equal "$(screen_tmux display-message -p '#{mouse_any_flag} #{cursor_flag} #{alternate_on}')" "0 1 0" "$1: mouse, cursor, other screen"
}

test_every_way_out_gives_the_terminal_back() {
    local way
    need tmux
    for way in q C-c F10 :quit; do
        screen_start 80 24 cofferdam
        see "no workloads"
        if [ "$way" = :quit ]; then
            screen_type "$way"
            screen_keys Enter
        else
            screen_keys "$way"
        fi
        expect_end 0
        terminal_is_back "$way"
    done
    for way in HUP INT QUIT TERM SEGV BUS ABRT FPE ILL; do
        screen_start 80 24 cofferdam
        see "no workloads"
        kill -"$way" "$(program_of_it)"
        expect_end $((128 + $(kill -l "$way")))
        terminal_is_back "$way"
    done
}

test_themes_in_each_number_of_colours() {
    local theme term looks
    need tmux
    for theme in dark light high-contrast; do
        interface_settings "theme = $theme"
        for term in xterm xterm-16color xterm-256color xterm-direct vt100; do
            infocmp "$term" >/dev/null 2>&1 || continue
            SCREEN_TERM=$term
            screen_start 80 24 cofferdam
            see "no workloads"
            looks=$(screen_looks | head -1)
            case $term,$theme in # the ground of the title
            xterm-direct,*k | xterm-direct,light) [[ $looks == *'48;2;36;70;107'* || $looks == *'48:2::36:70:107'* ]] ;;
            xterm-256color,*k | xterm-256color,light) [[ $looks == *'48;5;'* ]] ;;
            xterm-256color,*) [[ $looks == *'107'* || $looks == *'48;5;15'* ]] ;;
            vt100,*) ! [[ $looks =~ $'\e['[0-9\;]*[34][0-7]m ]] ;;
            *) [[ $looks =~ 4[0-7] || $looks =~ 10[0-7] ]] ;;
            esac || fail "$theme in $term: $(cat -v <<<"$looks")"
            screen_keys q
            expect_end 0
        done
    done
    interface_settings
}

test_the_mouse_is_released_for_selecting() {
    need tmux
    screen_start 80 24 cofferdam
    see "no workloads"
    expect_equal "$(screen_tmux display-message -p '#{mouse_any_flag}')" 1 "the mouse is taken"
    screen_keys m
    see "select text"
    expect_equal "$(screen_tmux display-message -p '#{mouse_any_flag}')" 0 "the mouse is given"
    screen_keys m
    see "taken again"
    expect_equal "$(screen_tmux display-message -p '#{mouse_any_flag}')" 1 "the mouse is taken again"
    screen_keys q
    expect_end 0
}

test_wide_and_combining_characters() {
    need tmux userns
    cofferdam run --detach --tty --name wide -- sh -c 'printf "\344\270\255\346\226\207|e\314\201|end\n"; exec sleep 1000' >/dev/null
    screen_start 80 24 cofferdam
    see "wide"
    screen_keys Enter
    see $'\xe4\xb8\xad\xe6\x96\x87|e\xcc\x81|end'
    screen_keys C-] Tab
    kill_it
    SCREEN_LOCALE=C
    cofferdam run --detach --tty --name wide -- sh -c 'printf "\344\270\255|end\n"; exec sleep 1000' >/dev/null
    screen_start 80 24 cofferdam
    see "wide"
    screen_keys Enter
    see "|end"
    expect_ascii
    screen_keys C-] Tab
    kill_it
}

test_the_boundaries_of_this_machine() {
    local size
    need tmux userns
    cofferdam run --detach --tty --name there -- sleep 1000 >/dev/null
    for size in 40x12 100x30; do
        screen_start "${size%x*}" "${size#*x}" cofferdam
        see "$RUNNING"
        screen_keys H
        see "ROOM"
        see "container     1"
        see "vm            0" # the last of them, even on the least screen
        screen_keys Escape q
        expect_end 0
    done
    kill_all
}

# Written down as a stranger would do it, without the manual: what the screen says is enough. Start, the tour,
# open a file at the right stop, watch, attach, detach, snapshot, break it, restore, report, remove, quit.
test_a_strangers_first_five_minutes() {
    need tmux userns
    SCREEN_TOUR=yes
    rm -rf "$XDG_STATE_HOME/cofferdam/toured"
    printf '#!/bin/sh\necho 4$((1+1))-hello; exec sh\n' >"$T/strange.sh"
    chmod +x "$T/strange.sh"
    screen_start 100 30 cofferdam
    see "tour, 1 of 5"
    screen_keys Right
    see "open a strange file, looked at first"
    screen_keys Escape
    see "o  open a strange file"
    screen_keys o
    see "a file to open"
    touch "$T/other"{1,2,3,4,5,6,7,8}
    screen_type "$T/oth"
    screen_keys Tab
    see "and 2 more"
    expect_equal "$(screen_text | grep -c '/other[1-8]$')" 6 "paths that are shown"
    screen_keys C-u
    screen_type "$T/stra"
    screen_keys Tab
    see "strange.sh"
    screen_keys Enter
    see "advice: trust it" # what it is, and what that means
    see "(o) "
    see "protects"
    see "leaves open"
    see "costs"
    screen_keys 1 # the container
    see "< contained >"
    screen_keys C-p
    see "the plan, before anything starts"
    screen_keys Escape
    see "start a workload"
    screen_keys Enter
    see "42-hello"
    screen_type 'echo one >kept; cat kept'
    screen_keys Enter
    see "one"
    screen_keys C-] Tab # the line below says so
    see "Tab console"
    screen_keys Escape # no console: it goes on
    see_no "42-hello"
    see "$RUNNING"
    screen_keys t # watch
    see " processor "
    see "the last "
    screen_keys i
    see "boundary container"
    screen_keys 6
    see "sh"
    see "processes, by"
    screen_keys Escape Escape
    see "NAME"
    screen_keys Enter # attach
    see "42-hello"
    screen_type 'echo again$((1+1))'
    screen_keys Enter
    see "again2"
    screen_keys C-] d # detach, as attach has it
    see "Esc close it"
    screen_keys Escape
    see_no "again2"
    see "$RUNNING"
    screen_keys Enter
    see "again2"
    screen_keys C-] Tab
    see "Tab console"
    screen_keys S
    see "files of"
    screen_keys Tab
    see "ctrl-] Tab list"
    screen_type 'rm kept; echo gone$((1+1))'
    screen_keys Enter
    see "gone2"
    screen_keys C-] Tab
    screen_keys Escape
    see_no "gone2"
    screen_keys v
    see "snapshot   files"
    screen_keys k k B
    see "since is lost"
    see "y/n"
    screen_keys y
    (await "$SCREEN_WAIT" hangs_from_its_snapshot) || { screen_text; fail "it did not come back"; }
    screen_keys G R
    see "[2 report]"
    screen_keys Escape
    see "NAME"
    screen_keys '*' X
    see "y/n"
    screen_keys y
    see "0 running of 0"
    screen_keys q
    expect_end 0
    rm_snapshots
}
hangs_from_its_snapshot() { screen_text | grep -q '└ contained-[0-9a-f]* *running'; }
rm_snapshots() {
    local ids
    ids=$(cofferdam snapshot list --quiet)
    # shellcheck disable=SC2086 # ids are words
    [ -z "$ids" ] || cofferdam snapshot rm --force --recursive $ids >/dev/null 2>&1 || :
}

test_a_storm_of_resizes_and_keys() {
    local i
    need tmux userns
    cofferdam run --detach --tty --name stormy -- sleep 1000 >/dev/null
    screen_start 80 24 cofferdam
    see "stormy"
    for i in $(seq 60); do
        screen_size $((20 + i * 37 % 300)) $((5 + i * 13 % 90))
        screen_keys v '>' j Space - H Escape '?' Escape i Escape
    done
    screen_size 100 30
    screen_keys Escape Escape Escape
    see "stormy"
    see "1 running of 1"
    kill_it
}

test_a_thousand_rows() {
    local i base
    need tmux
    base=$XDG_STATE_HOME/cofferdam/workloads
    mkdir -p "$base"
    for i in $(seq 1000); do
        mkdir "$base/$(printf 'ab%010x' "$i")"
        printf '{"version":1,"phase":"exited","id":"%s","name":"row-%d","profile":"contained","boundary":"container","runtime":"native","image":"host","command":"true","created_ms":1,"started_ms":1,"ended_ms":2,"status":0,"kept":true,"terminal":false}' \
            "$(printf 'ab%010x' "$i")" "$i" >"$base/$(printf 'ab%010x' "$i")/state"
    done
    screen_start 100 30 cofferdam
    see "0 running of 1000"
    screen_keys / ; screen_type "~^row-77[0-9]$"
    see "row-770"
    see_no "row-999 "
    screen_keys Escape
    screen_keys '>' G
    see "row-999 "
    screen_keys q
    expect_end 0
    rm -rf "$base"/ab*
}

test_keys_and_colours_of_the_person() {
    need tmux
    interface_settings 'theme = high-contrast' '[keys]' 'quit = ctrl-x'
    screen_start 80 24 cofferdam
    see "no workloads"
    screen_looks | head -1 | grep -q $'\e\[[0-9;]*107' || fail "the title has no theme: $(screen_looks | head -1 | cat -v)"
    screen_keys q '?'
    see "cofferdam  help"
    screen_keys / ; screen_type leave ; screen_keys Enter # the line of quit
    see "ctrl-x"
    screen_keys C-x
    expect_end 0
    interface_settings '[keys]' 'quitt = a'
    screen_start 80 24 cofferdam
    see '"quitt"' # where it stands, and what may be meant
    screen_keys Escape q
    expect_end 0
    interface_settings '[keys]' 'kill = a' 'stop = a'
    screen_start 200 24 cofferdam
    see 'already the key of kill'
    see 'interface.ini:5'
    screen_keys Escape q
    expect_end 0
    interface_settings '[keys]' 'profile-check = z' 'restart = q'
    screen_start 200 24 cofferdam
    see 'leaves quit without a key'
    see 'interface.ini:5'
    screen_keys Escape P
    see "z check" # and not c
    screen_keys Escape F10
    expect_end 0
    interface_settings
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
