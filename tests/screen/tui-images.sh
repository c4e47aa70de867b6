#!/bin/bash
# The page of images: what there is, in which order, and what can be done to it.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/lib.sh"

fresh() { rm -rf "$XDG_DATA_HOME/cofferdam/images"; }
# Two names of one, and one by itself.
make_images() {
    fresh
    mkdir -p "$T/one/etc" "$T/two"
    head -c 300000 /dev/urandom >"$T/one/etc/large"
    echo small >"$T/two/small"
    cofferdam image import "$T/one" large:1 >/dev/null
    cofferdam image tag large:1 again:1
    cofferdam image import "$T/two" small:1 >/dev/null
}
first_is() { screen_text | sed -n 3p | grep -q "^.$1"; }
largest_is_first() { first_is large:1 || first_is again:1; } # two names of one

test_images_are_listed_and_arranged() {
    local size
    need tmux userns
    make_images
    for size in 80x24 200x50 40x12 120x40; do
        screen_start "${size%x*}" "${size#*x}" cofferdam
        see "no workloads"
        screen_keys I
        see "large:1"
        see "small:1"
        see "3 images"
        (await "$SCREEN_WAIT" first_is again:1) || fail "not by name"
        screen_keys -
        (await "$SCREEN_WAIT" first_is small:1) || fail "not turned round"
        screen_keys - '>' '>' '>' '>'
        (await "$SCREEN_WAIT" largest_is_first) || fail "not by size"
        screen_keys '<' '<' '<' '<' /
        screen_type '!~^large'
        see_no "large:1 "
        screen_keys Enter
        see "only with"
        screen_keys Escape # the filter goes
        see "large:1"
        screen_keys /
        screen_type 'nothing-like-it'
        see "nothing passes"
        screen_keys Escape
        see "small:1"
        expect_ascii
        screen_keys i
        see "layers"
        screen_keys Escape
        see "3 images"
        screen_keys Escape
        see "no workloads"
        screen_keys q
        expect_end 0
    done
}

test_what_is_done_to_images() {
    need tmux userns
    make_images
    screen_start 120 40 cofferdam
    see "no workloads"
    screen_keys I
    see "3 images"
    screen_keys G
    screen_keys T
    see ":image tag small:1"
    screen_type "tiny:2"
    screen_keys Enter
    see "4 images" # it is seen by itself
    screen_keys / ; screen_type "large" ; screen_keys Enter v
    see "large:1  good"
    screen_keys Escape
    see "only with"
    screen_keys w
    see ":image export large:1 ./large-1.tar"
    screen_keys C-u
    screen_type "image export {} $T/{}.tar"
    screen_keys Enter
    await "$SCREEN_WAIT" test -s "$T/large-1.tar"
    screen_keys X
    see "Remove large:1? At least 0 B go." # it has another name
    screen_keys n
    see "large:1"
    screen_keys X y
    see_no "large:1 "
    screen_keys Escape
    see "3 images"
    screen_type ":image import $T/large-1.tar back:1"
    screen_keys Enter
    see "4 images"
    see "back:1"
    screen_keys '*' X
    see "Remove again:1, small:1, tiny:2, back:1?" # each is named
    screen_keys y
    see "there are no images yet"
    screen_keys n # nothing to start from: nothing happens
    see "there are no images yet"
    screen_keys H
    see "images     0, 0 B"
    screen_keys q
    expect_end 0
}

test_a_workload_is_started_from_one() {
    need tmux userns busybox
    fresh
    mkdir -p "$T/root/bin"
    cp "$(type -P busybox)" "$T/root/bin/sh"
    cofferdam image import "$T/root" shell:1 >/dev/null
    screen_start 80 24 cofferdam
    see "no workloads"
    screen_keys I
    see "shell:1"
    screen_keys n
    see "start a workload"
    see "shell:1"
    screen_type "sh -c 'echo inside-\$((40 + 2)); exec sh'"
    screen_keys Enter
    see "inside-42"
    screen_keys C-] Tab I
    see "USED"
    (await "$SCREEN_WAIT" used_by_one) || { screen_text; fail "nobody uses it"; }
    screen_keys X
    see "1 workload is made from it"
    screen_keys n q
    expect_end 0
    kill_all
}
used_by_one() { screen_text | grep -qE "shell:1.* 1 *$"; }

run_tests "$@"
