#!/bin/bash
# What takes its time beside the terminal interface: how far it is, giving it up, and what is left then.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/lib.sh"

# A skopeo that brings one layer for ever, and is known by its number.
# shellcheck disable=SC2016 # it expands in there
slow_skopeo() {
    mkdir -p "$T/bin"
    printf '%s\n' '#!/bin/bash' "echo \$\$ >$T/skopeo.pid" \
        'for ((i = 500; ; i++)); do' \
        '    printf "\e[JCopying blob 0123456789ab [==>---] %d.0KiB / 100.0MiB | 1 MiB/s\r\n\e[A" "$i"' \
        '    read -rt 0.2 _ <> <(:)' \
        'done' >"$T/bin/skopeo"
    chmod +x "$T/bin/skopeo"
    SCREEN_ENV=(PATH="$T/bin:$PATH")
}
skopeo_is_gone() { ! kill -0 "$(cat "$T/skopeo.pid")" 2>/dev/null; }
store_is_clean() { [ -z "$(find "$XDG_DATA_HOME/cofferdam/images/tmp" -mindepth 1 2>/dev/null)" ]; }

test_a_pull_is_seen_and_given_up() {
    local size
    need tmux
    slow_skopeo
    for size in 80x24 200x50 40x12; do
        screen_start "${size%x*}" "${size#*x}" cofferdam
        see "no workloads"
        screen_type ":image pull somewhere/x"
        screen_keys Enter
        see " %"
        see "left" # at the rate it has
        [ "$size" = 40x12 ] || see "downloading"
        [ "$size" != 200x50 ] || see "of 100 MiB"
        see "image pull"
        screen_keys '?' # it goes on on every page
        see "cofferdam  help"
        see " %"
        screen_keys Escape Z
        see "Give up"
        screen_keys n
        see "Z give up"
        screen_keys Z y
        see "given up: image pull"
        see_no " %"
        await "$SCREEN_WAIT" skopeo_is_gone
        store_is_clean || fail "something is left in the store"
        screen_keys Escape Z
        see "nothing is being done"
        screen_keys q
        expect_end 0
    done
}

# A few at once; the others wait for them, and are given up with them.
test_many_are_done_a_few_at_once() {
    local i
    need tmux
    slow_skopeo
    screen_start 120 40 cofferdam
    see "no workloads"
    for i in 1 2 3 4 5 6; do
        screen_type ":image pull somewhere/$i"
        screen_keys Enter
        see_no ":image pull"
    done
    (await "$SCREEN_WAIT" skopeos_are 4) || fail "not four at once"
    kill -KILL "$(pgrep -of "^/bin/bash $T/bin/skopeo")"
    see "could not copy"
    (await "$SCREEN_WAIT" skopeos_are 4) || fail "the end of one did not begin the next"
    screen_keys Z
    see "Give up all 5"
    screen_keys y
    (await "$SCREEN_WAIT" skopeos_are 0) || fail "they go on"
    see_no "is given up"
    screen_keys Z
    see "nothing is being done"
    skopeos_are 0 || fail "what waited was begun"
    (await "$SCREEN_WAIT" store_is_clean) || fail "something is left in the store"
    screen_keys q
    expect_end 0
}
skopeos_are() { [ "$(pgrep -fc "^/bin/bash $T/bin/skopeo")" = "$1" ]; }

# The interface is left while something is brought: that goes on to its end, though nobody hears how far it is.
test_what_is_done_outlives_it() {
    need tmux userns
    mkdir -p "$T/made/etc"
    echo here >"$T/made/etc/x"
    cofferdam image import "$T/made" made:1 >/dev/null
    cofferdam image export made:1 "$T/layout"
    cofferdam image rm made:1 >/dev/null
    slow_skopeo
    # shellcheck disable=SC2016 # it expands in there
    sed -i 's/^for .*/for ((i = 500, more = 10; more; i++)); do [ ! -e "${0%\/bin\/*}\/go" ] || ((more--)) || :/' "$T/bin/skopeo"
    # shellcheck disable=SC2016
    printf '%s\n' 'to=${*: -1}' 'to=${to#oci:}' 'cp -r "${0%/bin/*}/layout" "${to%:*}"' >>"$T/bin/skopeo"
    screen_start 80 24 cofferdam
    see "no workloads"
    screen_type ":image pull somewhere/x came:1"
    screen_keys Enter
    see " %"
    screen_keys q
    expect_end 0
    touch "$T/go"
    (await "$SCREEN_WAIT" has_come) || fail "it did not outlive the interface"
    (await "$SCREEN_WAIT" store_is_clean) || fail "something is left in the store"
    expect_equal "$(cofferdam image list --quiet)" came:1
    cofferdam image rm came:1 >/dev/null
}
has_come() { cofferdam image list --quiet | grep -qx came:1; }

# A shell for which a monitor does not move: what is waited for is given up as well.
test_a_snapshot_is_given_up() {
    local pid places=$XDG_STATE_HOME/cofferdam/snapshots
    need tmux userns
    cofferdam run --detach --set resources.limits=best-effort --name still -- sh -c \
        'echo here >/opt/x; exec tail -f /dev/null' >/dev/null
    screen_start 80 24 cofferdam
    see "running  "
    pid=$(grep -ho '"monitor_pid": *[0-9]*' "$XDG_RUNTIME_DIR"/cofferdam/*/state | grep -o '[0-9]*$')
    kill -STOP "$pid"
    screen_keys S
    see "snapshot create still"
    see "at it for"
    screen_keys Z y
    see "given up: snapshot create still"
    kill -CONT "$pid"
    [ -z "$(ls -A "$places" 2>/dev/null)" ] || fail "half a snapshot was left"
    see_no "no answer"
    screen_keys S
    see "files of still"
    expect_equal "$(cofferdam snapshot list --quiet | wc -l)" 1 snapshots
    screen_keys q
    expect_end 0
    cofferdam snapshot rm --force still-1
    cofferdam rm --force still >/dev/null
}

# What the runtime writes is seen while it writes: here one that waits before it does.
test_a_snapshot_with_memory_is_seen() {
    local size
    need tmux userns runsc
    mkdir -p "$T/bin"
    # shellcheck disable=SC2016 # it expands in there
    printf '%s\n' '#!/bin/bash' 'case " $* " in' \
        "*' checkpoint '*) kill -STOP \$\$ ;;" 'esac' \
        "exec $(type -P runsc) \"\$@\"" >"$T/bin/runsc"
    chmod +x "$T/bin/runsc"
    cofferdam run --detach --tty --boundary sandbox --runtime "$T/bin/runsc" --set resources.limits=best-effort --name deep -- sh -c \
        'echo 4$((1+1))-up; exec tail -f /dev/null' >/dev/null
    screen_start 100 30 cofferdam
    see "1 running of 1"
    screen_keys S
    see "snapshot create deep"
    see "writing its memory"
    for size in 200x50 80x24; do
        screen_size "${size%x*}" "${size#*x}"
        see "writing its memory"
    done
    (await "$SCREEN_WAIT" is_taken) || { screen_text; fail "it is not taken"; }
    see_no "writing its memory"
    screen_keys q
    expect_end 0
    cofferdam snapshot rm --force deep-1
    kill_all
}

# It may not stand still yet as it is told to go on. Root's is somebody else's by then.
is_taken() {
    local of=()
    [ "$(id -u)" = 0 ] || of=(-U "$(id -u)")
    pgrep "${of[@]}" -f '^/bin/bash [^ ]*/runsc .* checkpoint ' | xargs -r kill -CONT 2>/dev/null || :
    screen_has "memory of deep"
}

test_what_is_done_to_all_marked() {
    need tmux userns
    cofferdam run --detach --set resources.limits=best-effort --name left -- tail -f /dev/null >/dev/null
    cofferdam run --detach --set resources.limits=best-effort --name right -- tail -f /dev/null >/dev/null
    echo brought >"$T/file"
    screen_start 120 40 cofferdam
    see "2 running of 2"
    screen_keys '*'
    see "2 marked"
    screen_keys S
    (await "$SCREEN_WAIT" two_snapshots) || fail "not one of each"
    see "files of"
    screen_keys Y
    see "{} is each of the 2 marked"
    screen_keys C-u
    screen_type "cp $T/file {}:/opt/file"
    screen_keys Enter
    (await "$SCREEN_WAIT" both_have /opt/file) || fail "not brought to both"
    screen_keys y C-u
    screen_type "cp {}:/opt/file $T/from-{}"
    screen_keys Enter
    (await "$SCREEN_WAIT" both_came) || fail "not brought from both"
    screen_keys B
    see "Bring right, left back" # what goes is named
    screen_keys y
    (await "$SCREEN_WAIT" both_lack /opt/file) || fail "not both are as they were"
    see "2 running of"
    screen_keys '*' c
    see "4 running of"
    screen_keys q
    expect_end 0
    kill_all
    cofferdam snapshot rm --force left-1 right-1
}
# No list shows its limits: that they are others now is said.
test_limits_that_were_changed() {
    need tmux root
    cofferdam run --detach --set resources.limits=best-effort --memory 64M --name bound -- tail -f /dev/null >/dev/null
    screen_start 100 24 cofferdam
    see "1 running of 1"
    screen_keys L
    see ":update bound --"
    screen_type "memory 80M"
    screen_keys Enter
    see "update bound --memory 80M: done"
    screen_keys q
    expect_end 0
    kill_all
}
two_snapshots() { [ "$(cofferdam snapshot list --quiet | wc -l)" = 2 ]; }
has() { cofferdam exec "$1" -- test -e "$2" 2>/dev/null; }
both_have() { has left "$1" && has right "$1"; }
lacks() { cofferdam exec "$1" -- test ! -e "$2" 2>/dev/null; }
both_lack() { lacks left "$1" && lacks right "$1"; }
both_came() { grep -q brought "$T/from-left" 2>/dev/null && grep -q brought "$T/from-right" 2>/dev/null; }

run_tests "$@"
