#!/bin/bash
# The acceptance of a microVM on the real Firecracker, with a Linux guest: where it and a usable KVM are here. What is
# asked of every runtime is in the table (acceptance.sh); here is what only a machine has.
# ACCEPT_RUNTIMES=qemu runs the same on QEMU, emulated or not: the script itself can be tried where there is neither.
# shellcheck disable=SC2034 # read by what is sourced
REAL=${ACCEPT_RUNTIMES:-firecracker} ACCEPT_RUNTIMES=${ACCEPT_RUNTIMES:-firecracker} TESTS="test_it_is_the_choice test_large_streams
test_its_own_kernel test_machines_inside test_its_metrics test_kill_9_of_init_inside test_a_full_disk test_a_scratch_disk test_further_disks test_a_card test_clones test_warm"

machine() { cofferdam run --boundary microvm --runtime "$REAL" --image small --memory 192M --cpus 1 "$@"; }
vmm_of() { pgrep -f "(--id|cofferdam-)[ ]?$1" | head -n 1; }
files_mode() { case $REAL in qemu) echo 400 ;; *) echo 444 ;; esac }
# its jailer says its --id first, and times
nothing_runs() { ! pgrep -f 'firecracker[^ ]* (--id [0-9a-f]+ .*)?--api-sock /run/api.sock' >pids; }

test_it_is_the_choice() {
    need_machine_of "$REAL"
    capture cofferdam plan --json --boundary microvm --image small -- true
    expect_out_has "\"runtime\": \"$REAL\""
}

test_large_streams() {
    need_machine_of "$REAL"
    head -c 3000000 /dev/urandom >in
    "$COFFERDAM" run --boundary microvm --runtime "$REAL" --image small --memory 192M -- cat <in >out 2>err || fail "status $?"
    cmp in out || fail "other bytes came back"
}

test_its_own_kernel() {
    need_machine_of "$REAL"
    capture machine --name its-own -- sh -c 'uname -r; hostname; id -u'
    expect_status 0
    expect_out_has "$(its_release)"
    expect_out_has "its-own"
    await 5 nothing_runs
}

has_counted() { cofferdam stats --json counted | grep -q '"guest_read"'; }
test_machines_inside() {
    need_machine_of "$REAL"
    prove_nested "$(grep -m 1 -cwE 'svm|vmx' /proc/cpuinfo || :)"
}

test_its_metrics() {
    need_machine_of "$REAL"
    machine --detach --name counted -- sleep 600 >id
    await 10 has_counted # which it writes when it can
    cofferdam kill counted
    await 5 nothing_runs
}

test_kill_9_of_init_inside() {
    need_machine_of "$REAL"
    capture machine -- sh -c 'kill -9 1; echo still here'
    expect_status 0
    expect_out "still here"
}

test_a_full_disk() {
    need_machine_of "$REAL"
    capture machine --set resources.disk=8M -- sh -c 'dd if=/dev/zero of=/root/x bs=1M count=64 2>/dev/null; echo $?'
    expect_status 0
    expect_out 1
}

test_a_scratch_disk() {
    need_machine_of "$REAL"
    prove_scratch
}

test_further_disks() {
    need_machine_of "$REAL"
    prove_further_disks
    await 5 nothing_runs
}

test_a_card() {
    need_machine_of "$REAL"
    prove_card
    await 5 nothing_runs
}

# What runs goes on in clones over connections of their own, the source too.
test_clones() {
    need_machine_of "$REAL"
    prove_clones "$(files_mode)"
    await 5 nothing_runs
}

test_warm() {
    need_machine_of "$REAL"
    prove_warm "$(files_mode)"
    await 5 nothing_runs
}

. "$(dirname "$0")/acceptance.sh"
