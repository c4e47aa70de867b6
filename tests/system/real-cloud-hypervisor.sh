#!/bin/bash
# The acceptance of a microVM on the real Cloud Hypervisor, with a Linux guest: where it and a usable KVM are here.
# shellcheck disable=SC2034 # both are read by the table of every runtime
REAL=cloud-hypervisor ACCEPT_RUNTIMES=cloud-hypervisor TESTS="test_its_own_kernel test_served_shares test_a_scratch_disk test_a_card test_clones test_warm"

machine() { cofferdam run --boundary microvm --runtime cloud-hypervisor --image small --memory 192M --cpus 1 "$@"; }
nothing_runs() { ! pgrep -f 'cloud-hypervisor --api-socket path=/run/api.sock' >pids; }

test_its_own_kernel() {
    need_machine_of cloud-hypervisor
    capture cofferdam run --boundary microvm --runtime cloud-hypervisor --image small --memory 192M --name its-own -- \
        sh -c 'uname -r; hostname; id -u'
    expect_status 0
    expect_out_has "$(its_release)"
    expect_out_has "its-own"
}

test_served_shares() {
    [ -x /usr/lib/qemu/virtiofsd ] || need virtiofsd
    need_machine_of cloud-hypervisor
    mkdir -p "$T/shared"
    chmod 755 "$T" "$T/shared"
    echo one >"$T/shared/file"
    capture machine --set machine.shares=virtiofs --mount "$T/shared:/src" -- \
        sh -c 'cat /src/file; mount -o remount,rw /src; echo x >/src/new'
    expect_out one
    [ ! -e "$T/shared/new" ] || fail "it was written to"
    await 5 nothing_runs
}

# at_least VERSION: of the one that is here.
at_least() { printf '%s\n' "$1" "$(cloud-hypervisor --version | sed 's/^[^0-9]*//')" | sort -VC; }

test_a_scratch_disk() {
    need_machine_of cloud-hypervisor
    at_least 50.1 || { echo "needs Cloud Hypervisor 50.1" >"$T/skip"; exit 77; }
    prove_scratch
}

test_a_card() {
    need_machine_of cloud-hypervisor
    prove_card
    await 5 nothing_runs
}

# It reads all of a memory when it begins from it, so a clone shares no file with the others.
test_clones() {
    local n
    need_machine_of cloud-hypervisor
    machine --detach --name first -- sh -c 'echo kept >/root/kept; echo ready; exec sleep 600' >ids
    await 30 is_ready first
    capture cofferdam snapshot create first --name mem
    expect_status 0
    capture cofferdam exec first -- cat /root/kept
    expect_out kept
    cofferdam clone mem --number 2 >ids
    for n in 1 2; do
        capture cofferdam exec "first-$n" -- sh -c 'hostname; cat /root/kept'
        expect_equal "$(tr '\n' ' ' <out)" "first-$n kept " "clone $n"
    done
    capture cofferdam snapshot create first-2 --name again # of a clone
    expect_status 0
    cofferdam kill first first-1 first-2
    cofferdam snapshot restore again >out
    capture cofferdam exec first-2 -- cat /root/kept
    expect_out kept
    cofferdam kill first-2
    cofferdam snapshot rm --force --recursive mem
    await 5 nothing_runs
}

test_warm() {
    need_machine_of cloud-hypervisor
    prove_warm 444
    await 5 nothing_runs
}

. "$(dirname "$0")/acceptance.sh"
