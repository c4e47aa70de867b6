#!/bin/bash
# Firecracker: driven through its API, in our jail, with its guest's agent over vsock. Where there is
# none a stand-in serves the API as published (tests/tools/fake-firecracker.c) with a made-up guest.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"

# fake [KEY=VALUE…]: a stand-in of its own at ./bin/firecracker, which KVM would serve.
fake() {
    local setting key
    need_machine cat
    mkdir -p bin
    cp "$BUILD_DIR/tests/tools/fake-firecracker" bin/firecracker
    # the device as it is here, if at all; what it runs is made up anyway
    [ -w /dev/kvm ] || set -- kvm=0 "$@"
    for setting in "$@"; do
        key=${setting%%=*}
        case $key in
        version) sed -i "s/FAKE version=[0-9.]* *;/FAKE version=$(printf %-7s "${setting#*=}");/" bin/firecracker ;;
        mute | kvm) sed -i "s/;$key=.;/;$setting;/" bin/firecracker ;;
        *) sed -i "s/;$key=[0-9][0-9];/;$key=$(printf %02d "${setting#*=}");/" bin/firecracker ;;
        esac
    done
    chmod 755 . bin bin/firecracker
    capture fc -- true # finds out what there is, which is kept
    sed -i '/^no-kvm/d' "$XDG_CACHE_HOME/cofferdam/machine/firecracker"
}

fc() { cofferdam run --boundary microvm --runtime "$PWD/bin/firecracker" --image small --memory 192M --cpus 1 "$@"; }

vmm_of() {
    local pid
    for pid in $(pgrep -f "bin/firecracker --api-sock /run/api.sock --id $1 "); do echo "$pid"; done | head -n 1
}
nothing_runs() { ! pgrep -f "$PWD/bin/firecracker --api-sock" >pids; }

test_a_command() {
    fake
    capture fc -- echo one two
    expect_status 0
    expect_out "one two"
    capture fc -- exit 7
    expect_status 7
    capture fc -- /nope
    expect_status 127
    echo through >in
    [ "$("$COFFERDAM" run --boundary microvm --runtime "$PWD/bin/firecracker" --image small --memory 192M -- cat <in)" = through ] ||
        fail "not what went in"
    await 5 nothing_runs
}

test_every_version_that_is_known() {
    local version
    for version in 1.7.0 1.8.0 1.10.1 1.12.0 1.13.2 1.14.2 1.16.1; do
        fake "version=$version"
        capture fc -- echo "$version"
        if [ "$version" = 1.7.0 ]; then
            expect_status 125
            expect_err_has "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES"
        else
            expect_status 0
            expect_out "$version"
        fi
    done
    for version in 1.6.0 1.17.0 2.0.0; do
        fake "version=$version"
        capture fc -- true
        expect_status 125
        expect_err_has "known here are 1.7 to 1.16"
    done
}

# Another program than the one the plan was made for answers.
test_a_version_that_has_changed() {
    fake
    sed -i 's/^version .*/version 1.13.0/' "$XDG_CACHE_HOME/cofferdam/machine/firecracker"
    capture fc -- true
    expect_status 125
    expect_err_has "Firecracker is 1.14.2 now, the plan was made for 1.13.0"
}

# Requests in their order: /version, /metrics, /machine-config, /boot-source, /drives/root, /vsock,
# /entropy, /balloon, /actions.
test_every_refusal_is_one_sentence() {
    local n paths=(/version /metrics /machine-config /boot-source /drives/root /vsock /entropy /balloon /actions)
    for n in 1 2 3 4 5 6 7 8 9; do
        fake "fault=$n"
        capture fc -- true
        expect_status 125
        expect_err_has "${paths[n - 1]}: Start microvm error: Internal error while starting microVM: made up (400)"
        expect_equal "$(wc -l <err)" 1 "lines"
        await 5 nothing_runs
    done
}

test_death_at_every_step_leaves_nothing() {
    local n
    for n in 1 2 3 4 5 6 7 8 9; do
        fake "die=$n"
        capture fc -- true
        expect_status 125
        expect_err_has "firecracker ended with status 1"
        await 5 nothing_runs
        expect_equal "$(find "$XDG_RUNTIME_DIR/cofferdam" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*' | wc -l)" 0 "runtime folders"
        capture cofferdam ps -a
        expect_out_lacks microvm
    done
}

test_a_guest_that_never_calls() {
    fake mute=1
    capture fc --time-limit 2s -- true
    expect_status 125
    expect_err_has "has not answered"
    await 5 nothing_runs
}

test_exec_pause_signals() {
    fake
    ID=$(fc --detach --name worker -- sleep 600)
    capture cofferdam exec worker -- echo in
    expect_status 0
    expect_out in
    cofferdam pause worker
    capture cofferdam ps
    expect_out_has paused
    cofferdam resume worker
    capture cofferdam exec worker -- exit 3
    expect_status 3
    capture cofferdam inspect worker
    expect_out_has power
    capture cofferdam stop worker
    await 5 nothing_runs
    capture cofferdam ps -a
    expect_out_lacks "$ID"
}

test_the_jail() {
    fake
    ID=$(fc --detach --name jailed -- sleep 600)
    PID=$(vmm_of "$ID")
    [ -n "$PID" ] || fail "no Firecracker"
    if [ "$(id -u)" = 0 ]; then
        [ "$(awk '/^Uid:/ { print $2 }' "/proc/$PID/status")" != 0 ] || fail "it is root"
        for ns in user mnt pid net ipc uts cgroup; do
            [ "$(readlink "/proc/$PID/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ] || fail "the host's $ns namespace"
        done
        expect_equal "$(awk '$4 ~ /^rw/ { print $2 }' "/proc/$PID/mounts" | grep -v '^/dev/kvm$')" /run "writable mounts"
        expect_equal "$(ls "/proc/$PID/root/run" | tr '\n' ' ')" "api.sock metrics vsock vsock_1024 " "its sockets"
    fi
    expect_equal "$(awk '/^CapEff:/ { print $2 }' "/proc/$PID/status")" 0000000000000000 CapEff
    expect_equal "$(awk '/^CapBnd:/ { print $2 }' "/proc/$PID/status")" 0000000000000000 CapBnd
    expect_equal "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$PID/status")" 1 NoNewPrivs
    expect_equal "$(awk '/^Seccomp:/ { print $2 }' "/proc/$PID/status")" 2 Seccomp
    cofferdam kill jailed
    await 5 nothing_runs
}

# What it counts from line to line is summed up.
test_its_metrics_are_in_stats() {
    fake
    fc --detach --name counted -- sleep 600 >id
    capture cofferdam stats --json counted
    expect_status 0
    python3 -c '
import json, sys
s = json.load(open(sys.argv[1]))["stats"][0]
assert s["guest_read"] >= 4096 and s["guest_read"] % 4096 == 0, s
assert s["guest_write"] == 0 and s["guest_in"] * 7 == s["guest_out"] * 5 > 0, s' out || fail "not what was counted"
    cofferdam kill counted
    await 5 nothing_runs
}

test_kill_9_of_firecracker() {
    fake
    fc --name victim -- sleep 600 >out 2>err &
    CLIENT=$!
    await 20 is_running victim
    kill -9 "$(vmm_of "$(cofferdam ps --json | sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p' | head -n 1)")"
    STATUS=0
    wait $CLIENT || STATUS=$?
    expect_equal "$STATUS" 137 status
    grep -q "firecracker was killed by signal 9" err || { cat err; fail "not said"; }
    await 5 nothing_runs
}
is_running() { cofferdam ps 2>/dev/null | grep -q "$1 *running"; }

test_the_choice_and_its_reason() {
    need_machine cat
    capture cofferdam plan --boundary microvm --image small --json -- true
    expect_out_has '"choice"'
    if ! command -v firecracker >which; then
        expect_out_has "firecracker is not installed"
        expect_out_has '"runtime": "qemu"'
    fi
    capture cofferdam plan --boundary microvm --runtime firecracker --image small -- true
    command -v firecracker >which || expect_out_has "firecracker, which is not here"
}

run_tests "$@"
