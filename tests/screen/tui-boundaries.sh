#!/bin/bash
# A workload of every boundary in the terminal interface: its row, its console, its details and processes, its end.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../system/machine.sh"
. "$(dirname "$0")/../system/libvirt-lib.sh"

SIZE=100x30

# at_every_size TEXT: which stays in sight.
at_every_size() {
    local size
    for size in 40x12 200x50 400x120 80x24; do
        screen_size "${size%x*}" "${size#*x}"
        see "cofferdam"
        see "$1"
        expect_ascii
    done
}

# in_every_colour BOUNDARY TEXT: all colours there are, 256, 8, none; each at every size: the list, and its console.
in_every_colour() {
    local term before=$SCREEN_TERM
    for term in xterm-direct xterm-256color xterm vt100; do
        infocmp "$term" >/dev/null 2>&1 || continue
        SCREEN_TERM=$term
        screen_start "${SIZE%x*}" "${SIZE#*x}" cofferdam
        see "1 running of 1"
        see " $1"
        at_every_size "running  "
        screen_keys Enter
        see "$2"
        at_every_size "$2"
        screen_keys C-] Tab
        see "Tab console"
        screen_keys q
        expect_end 0
    done
    SCREEN_TERM=$before
}

# walk BOUNDARY OPTION…: one of its kind, through the pages of one workload.
walk() {
    local boundary=$1
    shift
    need tmux userns
    cofferdam run --detach --tty --name inside "$@" -- sh -c 'echo 4$((1+1))-up; exec sh' >/dev/null
    screen_start "${SIZE%x*}" "${SIZE#*x}" cofferdam
    see "1 running of 1"
    see " $boundary"
    screen_keys Enter
    see "42-up"
    screen_type 'echo 4$((3+4))-typed'
    screen_keys Enter
    see "47-typed"
    at_every_size "47-typed"
    screen_keys C-] Tab
    see "Tab console"
    screen_keys q
    expect_end 0
    in_every_colour "$boundary" "47-typed"
    screen_start "${SIZE%x*}" "${SIZE#*x}" cofferdam
    see "1 running of 1"
    screen_keys i
    see "boundary $boundary"
    see "start     " # how that went
    expect_ascii
    at_every_size "created"
    screen_keys 5
    see "memory  "
    at_every_size "processor  "
    screen_keys 6
    see "MEMORY"
    screen_keys Escape
    see "NAME"
    screen_keys t
    see " processor "
    screen_keys Escape H
    see "ROOM FOR"
    see "$boundary "
    screen_keys Escape K
    see "y/n"
    screen_keys y
    see "no workloads"
    screen_keys q
    expect_end 0
}

test_a_container_of_ours() { walk container --runtime native; }
test_a_container_of_crun_in_8_colours() {
    need crun
    SCREEN_TERM=xterm
    walk container --runtime crun
}
test_a_container_of_runc_without_colours() {
    need runc
    SCREEN_TERM=vt100
    walk container --runtime runc
}
test_a_sandbox_in_ascii() {
    need runsc
    SCREEN_LOCALE=C
    walk sandbox --runtime runsc
}


# Emulated where there is no KVM, which its row says; once, as a person: a machine is the same whoever starts it.
test_a_microvm() {
    need ordinary-user
    need_machine
    walk microvm --boundary microvm --runtime qemu --accel tcg --image small --memory 192M --cpus 1
}

# A boot sector that is no Linux and echoes its line: it has no processes to be told and no shell.
test_a_whole_machine() {
    need tmux ordinary-user
    need_libvirt
    cofferdam run --detach --tty --name whole --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.type=pc \
        --memory 32M --image "disk:$RUN/disk" >/dev/null
    in_every_colour vm "boot sector is here"
    screen_start 100 30 cofferdam
    see "1 running of 1"
    see " vm"
    screen_keys Enter
    see "boot sector is here"
    screen_type nnn
    see "123"
    at_every_size "123"
    screen_keys C-] Tab
    see "Tab console"
    screen_keys i
    see "boundary vm"
    at_every_size "created"
    screen_keys Escape
    see "NAME"
    screen_keys K
    see "y/n"
    screen_keys y
    see "no workloads"
    screen_keys q
    expect_end 0
    daemon_goes
}

run_tests "$@"
