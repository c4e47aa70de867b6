#!/bin/bash
# Cloud Hypervisor: driven through its API, in our jail, with its guest's agent over vsock. Where there is none a
# stand-in serves the API as published (tests/tools/fake-cloud-hypervisor.c) with a made-up guest.
# shellcheck disable=SC2034 # all of these are read by vmm-api.sh
{
    VMM=cloud-hypervisor WORDS='--api-socket path=/run/api.sock' OTHER=50.2 FILTERS=1 WRITES=' /saved'
    CLONING=(/api/v1/vmm.ping /api/v1/vm.restore /api/v1/vm.resume) SAVING=/api/v1/vm.snapshot
    REQUESTS=(/api/v1/vmm.ping /api/v1/vm.create /api/v1/vm.add-disk /api/v1/vm.add-vsock /api/v1/vm.boot)
    FAULT='Error from API: The VM could not boot: made up (500)'
    OWN='test_every_version_that_is_known test_a_disk_to_write_needs_its_format test_served_shares test_the_choice test_room_for_a_snapshot'
}

test_every_version_that_is_known() {
    local version
    for version in 43.0 45.0 50.0 50.2 51.1 53.0; do
        fake "version=$version"
        capture fc -- echo "$version"
        expect_status 0
        expect_out "$version"
    done
    for version in 42.0 54.0 4.1; do
        fake "version=$version"
        capture fc -- true
        expect_status 125
        expect_err_has "known here are 43 to 53"
    done
}

# Who can keep a guest from KVM does; who cannot is refused where that is wanted, and said else.
test_machines_inside() {
    local version
    for version in 49.0 51.1; do
        fake "version=$version"
        capture fc --set machine.nested=no -- true
        expect_status 125
        expect_err_has "machine.nested = no: Cloud Hypervisor $version cannot keep"
        expect_err_has "52.0 or later"
        capture cofferdam profile explain contained --set isolation.boundary=microvm --set "isolation.runtime=$PWD/bin/cloud-hypervisor" --set files.image=small
        expect_out_has "machines of its own"
    done
    fake version=52.0
    capture fc --set machine.nested=no -- echo kept
    expect_status 0
    expect_out kept
    capture cofferdam profile explain contained --set isolation.boundary=microvm --set "isolation.runtime=$PWD/bin/cloud-hypervisor" --set files.image=small
    ! grep -q "machines of its own" out || fail "it is kept from them"
}

# Up to 50.0 the format of a disk is guessed by what a guest has written to it.
test_a_disk_to_write_needs_its_format() {
    local scratch=(--set machine.scratch=disk --set resources.disk=64M)
    fake version=50.0
    capture fc "${scratch[@]}" -- true
    expect_status 125
    expect_err_has "machine.scratch = disk: Cloud Hypervisor 50.0 would guess"
    expect_err_has "50.1 or later"
    head -c 4096 /dev/zero >more.img
    capture fc --set "machine.disk=$PWD/more.img" -- true
    expect_status 125
    expect_err_has "machine.disk: Cloud Hypervisor 50.0 would guess"
    fake version=50.1
    capture fc "${scratch[@]}" -- echo written
    expect_status 0
    expect_out written
}

# Each folder is served by a virtiofsd of its own: which the machine is told of before it boots, and does not outlive.
servers() { pgrep -f "virtiofsd --fd=3" -P "$(sed -n 's/^PPid:\t//p' "/proc/$PID/status")"; }
servers_have_gone() { ! ps -p "$(echo $SERVERS | tr ' ' ',')" >pids; }
test_served_shares() {
    [ -x /usr/lib/qemu/virtiofsd ] || need virtiofsd
    mkdir -p "$T/shared" "$T/second"
    chmod 755 "$T" "$T/shared" "$T/second"
    local n share=(--mount "$T/shared:/src" --mount "$T/second:/more" --set machine.shares=virtiofs)
    fake
    capture fc "${share[@]}" --set machine.shares=9p -- true
    expect_status 125
    expect_err_has "machine.shares=virtiofs"
    capture fc "${share[@]}" -- echo served
    expect_status 0
    expect_out served
    fc "${share[@]}" --detach --name served -- sleep 600 >id
    PID=$(vmm_of_this)
    SERVERS=$(servers | xargs)
    expect_equal "$(echo "$SERVERS" | wc -w)" 2 servers
    for n in $SERVERS; do
        expect_equal "$(awk '/^Cap(Prm|Eff|Bnd|Amb):/ { print $2 }' "/proc/$n/status" | sort -u)" 0000000000000000 capabilities
        expect_equal "$(awk '/^Seccomp_filters:/ { print $2 }' "/proc/$n/status")" 2 "filters, ours and its own"
        expect_equal "$(cat "/proc/$n/cgroup")" "$(cat "/proc/$PID/cgroup")" "control group"
    done
    capture cofferdam snapshot create served --name of-served
    [ "$STATUS" != 0 ] || fail "a snapshot of a machine with shares"
    cofferdam kill served
    await 5 nothing_runs
    await 5 servers_have_gone
    fc "${share[@]}" --name victim -- sleep 600 >out 2>err &
    CLIENT=$!
    await 20 is_running victim
    PID=$(vmm_of_this)
    SERVERS=$(servers | xargs)
    kill -9 "${SERVERS##* }"
    STATUS=0
    wait $CLIENT || STATUS=$?
    expect_equal "$STATUS" 137 status
    grep -q "virtiofsd, which served it $T/second, was killed by signal 9" err || { cat err; fail "not said"; }
    await 5 nothing_runs
    await 5 servers_have_gone
    for n in 1 2 3 4 5 6 7; do # ping, create, disk, two folders, vsock, boot
        fake "die=$n"
        capture fc "${share[@]}" -- true
        expect_status 125
        expect_err_has "$VMM ended with status 1"
        await 5 nothing_runs
    done
    fake fault=5
    capture fc "${share[@]}" -- true
    expect_err_has "/api/v1/vm.add-fs: "
}

# Its control group has room for a second memory while that is written, and not before or behind it.
bound() { # bytes it may have
    local group
    group=$(sed -n 's/^[0-9]*:[a-z,]*memory[a-z,]*:/\/sys\/fs\/cgroup\/memory/p; s/^0::/\/sys\/fs\/cgroup/p' "/proc/$1/cgroup")
    for group in $group; do
        cat "$group/memory.max" "$group/memory.limit_in_bytes" 2>/dev/null || :
    done | grep -v max | head -n 1
}
is_bound_by() { [ "$(bound "$PID")" = "$1" ]; }
test_room_for_a_snapshot() {
    need root cgroup
    fake
    fc --detach --name first -- sleep 600 >id
    PID=$(vmm_of_this)
    expect_equal "$(bound "$PID")" $((384 << 20)) "before"
    HANDS=$(pgrep -x snapshots -P "$(sed -n 's/^PPid:\t//p' "/proc/$PID/status")")
    kill -STOP "$HANDS"
    cofferdam snapshot create first --name mem >out 2>err &
    CLIENT=$!
    await 10 is_bound_by $((384 + 192 + 64 << 20))
    kill -CONT "$HANDS"
    wait $CLIENT
    await 10 is_bound_by $((384 << 20))
    cofferdam kill first
    cofferdam snapshot rm --force mem
    await 5 nothing_runs
}

test_the_choice() {
    need_machine cat
    capture cofferdam plan --boundary microvm --image small --json -- true
    command -v cloud-hypervisor >which || expect_out_has "cloud-hypervisor is not installed"
    capture cofferdam plan --boundary microvm --runtime cloud-hypervisor --image small -- true
    command -v cloud-hypervisor >which || expect_out_has "cloud-hypervisor, which is not here"
    capture cofferdam doctor --json
    expect_out_has cloud-hypervisor
}

. "$(dirname "$0")/vmm-api.sh"
