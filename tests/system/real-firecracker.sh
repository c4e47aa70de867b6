#!/bin/bash
# The acceptance of a microVM on the real Firecracker, with a Linux guest: where it and a usable KVM are here.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"

need_firecracker() {
    need firecracker
    "$BUILD_DIR/tests/tools/kvm-works" 2>/dev/null || { echo "needs a usable /dev/kvm" >"$T/skip"; exit 77; }
    need_machine firecracker
}
machine() { cofferdam run --boundary microvm --runtime firecracker --image small --memory 192M --cpus 1 "$@"; }
nothing_runs() { ! pgrep -f 'firecracker --api-sock /run/api.sock' >pids; }

test_it_is_the_choice() {
    need_firecracker
    capture cofferdam plan --json --boundary microvm --image small -- true
    expect_out_has '"runtime": "firecracker"'
}

test_a_command() {
    need_firecracker
    capture machine -- sh -c 'echo out; echo err >&2; exit 7'
    expect_status 7
    expect_out "out"
    expect_err_has "err"
    capture machine -- /nope
    expect_status 127
    capture machine -- /etc/passwd
    expect_status 126
    capture machine -- sh -c 'kill -9 $$'
    expect_status 137
    await 5 nothing_runs
}

test_streams() {
    need_firecracker
    head -c 3000000 /dev/urandom >in
    "$COFFERDAM" run --boundary microvm --runtime firecracker --image small --memory 192M -- cat <in >out 2>err || fail "status $?"
    cmp in out || fail "other bytes came back"
}

test_its_own_kernel() {
    need_firecracker
    capture machine --name its-own -- sh -c 'uname -r; hostname; id -u'
    expect_status 0
    expect_out_has "-cloud-amd64"
    expect_out_has "its-own"
}

test_exec_pause_signals() {
    need_firecracker
    ID=$(machine --detach --name worker -- sleep 600)
    capture cofferdam exec worker -- sh -c 'echo in; exit 3'
    expect_status 3
    expect_out "in"
    cofferdam pause worker
    capture cofferdam ps
    expect_out_has paused
    cofferdam resume worker
    capture cofferdam exec worker -- true
    expect_status 0
    cofferdam stop worker >out
    await 5 nothing_runs
    capture cofferdam ps -a
    expect_out_lacks "$ID"
}

test_files_go_in_and_out() {
    need_firecracker
    mkdir -p tree/sub
    head -c 300000 /dev/urandom >tree/sub/large
    echo small >tree/small
    machine --detach --name files -- sleep 600 >out
    cofferdam cp tree files:/root/tree
    cofferdam cp files:/root/tree back
    diff -r tree back || fail "other files came back"
    cofferdam kill files
}

test_kill_9_of_init_inside() {
    need_firecracker
    capture machine -- sh -c 'kill -9 1; echo still here'
    expect_status 0
    expect_out "still here"
}

test_a_full_disk() {
    need_firecracker
    capture machine --set resources.disk=8M -- sh -c 'dd if=/dev/zero of=/root/x bs=1M count=64 2>/dev/null; echo $?'
    expect_status 0
    expect_out 1
}

run_tests "$@"
