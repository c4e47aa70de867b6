#!/bin/bash
# Firecracker: driven through its API, in our jail, with its guest's agent over vsock. Where there is
# none a stand-in serves the API as published (tests/tools/fake-firecracker.c) with a made-up guest.
# shellcheck disable=SC2034 # all of these are read by vmm-api.sh
{
    VMM=firecracker WORDS='--api-sock /run/api.sock' OTHER=1.13.0 FILTERS=2 WRITES=' /saved.memory /saved.state'
    REQUESTS=(/version /metrics /machine-config /cpu-config /boot-source /drives/root /vsock /entropy /balloon /actions)
    FAULT='Start microvm error: Internal error while starting microVM: made up (400)'
    CLONING=(/version /metrics /snapshot/load) SAVING=/snapshot/create
    OWN='test_every_version_that_is_known test_the_choice_and_its_reason test_through_the_jailer
test_a_jailer_that_fails test_tables_beside_the_kernel test_a_jailer_others_could_change test_the_next_is_taken test_clones_through_the_jailer
test_only_what_has_changed test_changes_that_go_astray'
}

test_every_version_that_is_known() {
    local version
    for version in 1.7.0 1.8.0 1.10.1 1.12.0 1.13.2 1.14.1 1.14.2 1.16.1; do
        fake "version=$version"
        capture fc -- echo "$version"
        expect_status 0
        expect_out "$version"
    done
    for version in 1.6.0 1.17.0 2.0.0; do
        fake "version=$version"
        capture fc -- true
        expect_status 125
        expect_err_has "known here are 1.7 to 1.16"
    done
}

# Debian's kernel finds processors and disk by the tables alone where a PC's firmware has them: on QEMU's machine
# without tables of its own, where they lie in front of its firmware. In Firecracker they come with the kernel's file.
test_tables_beside_the_kernel() {
    need ordinary-user qemu-system-x86_64
    local qboot=/usr/share/qemu/qboot.rom disk serial
    [ -r "$qboot" ] || { echo "needs $qboot" >"$T/skip"; exit 77; }
    fake version=1.7.0
    capture fc -- echo told
    expect_out told
    capture cofferdam plan --json --boundary microvm --runtime "$PWD/bin/firecracker" --image small -- true
    told=$(sed -n 's/^ *"kernel": "\(.*vmlinux\)".*/\1/p' out)
    grep -qa 'RSD PTR .COFFER' "$told" || fail "no tables in $told"
    grep -qa LNRO0005 "$told" || fail "no devices in $told"
    "$BUILD_DIR/tests/tools/machine-parts" "$BUILD_DIR/tests/tools/guest-look" >parts
    ! grep -qxF "vmlinux=$told" parts || fail "that is the kernel of everybody"
    disk=$(find "$XDG_CACHE_HOME/cofferdam/disks" -name '*.squashfs' | head -n 1)
    "$BUILD_DIR/tests/tools/acpi-tables" 0xe0000 0xfeb00000 0x200 5 8 32 >tables
    truncate -s 65536 tables
    cat tables "$qboot" >firmware
    qemu-system-x86_64 -M microvm,acpi=off,auto-kernel-cmdline=off -accel tcg,tb-size=64 -cpu qemu64,+arat -smp 2 \
        -m 256 -nodefaults -no-user-config -display none -no-reboot -serial stdio -bios firmware \
        -kernel "$(sed -n 's/^kernel=//p' parts)" -initrd "$(sed -n 's/^initramfs=//p' parts)" \
        -drive "if=none,id=d,file=$disk,format=raw,readonly=on" -device virtio-blk-device,drive=d \
        -append 'console=ttyS0 panic=-1 reboot=t nr_cpus=2 tsc_early_khz=2700000 tsc=reliable no_timer_check' \
        </dev/null >serial 2>&1 &
    PID=$!
    looked() { grep -q '^look: end' serial || ! kill -0 "$PID" 2>/dev/null; }
    await 120 looked # it has nothing to turn itself off by
    kill -9 "$PID" 2>/dev/null || :
    wait "$PID" 2>/dev/null || :
    grep -q 'ACPI: RSDP 0x00000000000E0000' serial || { cat serial; fail "not found"; }
    grep -q 'Brought up 1 node, 2 CPUs' serial || { cat serial; fail "its processors"; }
    grep -q ' ./bin/busybox' serial || { cat serial; fail "its disk"; }
}

explained() { # what is said of the machine's bounds
    cofferdam profile explain contained --set isolation.boundary=microvm --set "isolation.runtime=$PWD/bin/firecracker" --set files.image=small
}

# udev touches /dev/kvm whenever a machine begins or ends: what was found out about it stays true.
test_what_is_known_is_kept() {
    need root
    [ -c /dev/kvm ] || { echo "needs a /dev/kvm" >"$T/skip"; exit 77; }
    fake
    local kept=$XDG_CACHE_HOME/cofferdam/machine/firecracker
    capture fc -- true
    expect_status 0
    sed -i 's/^tsc .*/tsc 1/' "$kept"
    touch /dev/kvm
    capture cofferdam plan --json --boundary microvm --runtime "$PWD/bin/firecracker" --image small -- true
    expect_out_has '"tsc_khz": 1,'
}

# Root has it started by its own jailer, in namespaces and a control group of ours.
test_through_the_jailer() {
    need root
    mkdir -p bin
    cp "$BUILD_DIR/tests/tools/fake-jailer" bin/jailer
    fake
    capture cofferdam plan --json --boundary microvm --runtime "$PWD/bin/firecracker" --image small -- true
    expect_out_has "bin/jailer"
    capture cofferdam plan --boundary microvm --runtime "$PWD/bin/firecracker" --image small -- true
    expect_out_has "bin/jailer starts the program: no user namespace, Landlock and filter of ours around it"
    capture explained
    expect_out_has "bin/jailer and Firecracker's own filter"
    expect_out_has "not by a user namespace"
    capture fc -- echo jailed
    expect_status 0
    expect_out jailed
    capture fc --set machine.scratch=disk --set resources.disk=300M -- echo disked # more than its memory's files
    expect_status 0
    expect_out disked
    head -c 65536 /dev/urandom >more.img
    chmod 600 more.img
    capture fc --set "machine.disk=$PWD/more.img" -- echo further # root's own, which the jail's id may read
    expect_status 0
    expect_out further
    fc --detach --name jailed -- sleep 600 >id
    PID=$(pgrep -f "^/firecracker --id $(cat id) --start-time-us [0-9]* .* --api-sock /run/api.sock")
    [ "$(awk '/^Uid:/ { print $2 }' "/proc/$PID/status")" -ge 65536 ] || fail "no id of a subordinate range"
    [ "$(awk '/^Gid:/ { print $2 }' "/proc/$PID/status")" -ge 65536 ] || fail "no group of a subordinate range"
    for ns in mnt pid net ipc uts cgroup; do
        [ "$(readlink "/proc/$PID/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ] || fail "the host's $ns namespace"
    done
    expect_equal "$(awk '/^NSpid:/ { print $NF }' "/proc/$PID/status")" 1 "its number in its own namespace"
    expect_equal "$(awk '/^CapEff:/ { print $2 }' "/proc/$PID/status")" 0000000000000000 CapEff
    expect_equal "$(awk '/^CapPrm:/ { print $2 }' "/proc/$PID/status")" 0000000000000000 CapPrm
    expect_equal "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$PID/status")" 1 NoNewPrivs
    expect_equal "$(awk '/^Seccomp_filters:/ { print $2 }' "/proc/$PID/status")" 1 "filters: its own"
    expect_equal "$(ls "/proc/$PID/root" | tr '\n' ' ')" "dev firecracker firecracker.pid initramfs kernel root.img run saved.memory saved.state " "its root"
    capture cofferdam stats --json jailed
    expect_out_has guest_read
    cofferdam pause jailed
    cofferdam resume jailed
    capture cofferdam exec jailed -- exit 3
    expect_status 3
    OVER=$(awk '/^PPid:/ { print $2 }' "/proc/$PID/status") # keeps nothing of the host's file systems busy
    expect_equal "$(awk '$5 != "/" && $5 !~ "^/firecracker/" { print $5 }' "/proc/$OVER/mountinfo")" "" "the host's mounts held"
    expect_equal "$(awk '/^CapPrm:/ { print $2 }' "/proc/$OVER/status")" 0000000000000000 CapPrm
    cofferdam kill jailed
    await 5 no_jail
    fc --detach --name orphan -- sleep 600 >id
    parent() { awk '/^PPid:/ { print $2 }' "/proc/$1/status"; }
    kill -9 "$(parent "$(parent "$(pgrep -f "^/firecracker --id $(cat id) .*--api-sock")")")"
    await 5 no_jail
    cofferdam prune --force >out
    for n in 1 10; do # it dies, and nothing of it stays
        fake "die=$n"
        capture fc -- true
        expect_status 125
        expect_err_has "firecracker ended with status 1"
        await 5 no_jail
    done
    expect_equal "$(find "$XDG_RUNTIME_DIR/cofferdam" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*' | wc -l)" 0 "runtime folders"
}
no_jail() { ! pgrep -f "^/firecracker --id $(cat id) .*--api-sock" >pids; }

# One of another version is not taken; one that cannot is said.
test_a_jailer_that_fails() {
    need root
    mkdir -p bin
    sed 's/FAKE version=1.14.2 ;/FAKE version=1.13.0 ;/' "$BUILD_DIR/tests/tools/fake-jailer" >bin/jailer
    chmod 755 bin/jailer
    fake
    capture cofferdam plan --json --boundary microvm --runtime "$PWD/bin/firecracker" --image small -- true
    expect_out_lacks '"jailer": "'
    expect_out_has "bin/jailer is of version 1.13.0, the program of 1.14.2"
    capture fc -- echo ours
    expect_out ours
    printf '#!/bin/sh\n[ "$1" != --version ] || { echo Jailer v1.14.2; exit 0; }\necho cannot jail >&2; exit 1\n' >bin/jailer
    rm -f "$XDG_CACHE_HOME/cofferdam/machine/firecracker"
    fake
    capture fc -- true
    expect_status 125
    expect_err_has "cannot jail"
    await 5 nothing_runs
}

# It would run as root: where others could have changed it, or root may not make nodes, the way without it stays.
not_taken() { # REASON
    capture cofferdam plan --json --boundary microvm --runtime "$PWD/bin/firecracker" --image small -- true
    expect_out_lacks '"jailer": "'
    expect_out_has "$1"
    capture cofferdam plan --boundary microvm --runtime "$PWD/bin/firecracker" --image small -- true
    expect_out_has "not used: "
    capture explained
    expect_out_has "$1"
    expect_out_has "stand around Firecracker instead"
    [ ! -e as-root ] || fail "it was started"
}
test_a_jailer_others_could_change() {
    need root
    fake
    # the facts of a program without a jailer do not outlive that
    printf '#!/bin/sh\n: >%s/as-root\necho Jailer v1.14.2\n' "$PWD" >bin/jailer
    chmod 775 bin/jailer
    not_taken "bin/jailer can be changed by others than root"
    chmod 755 bin/jailer
    chown 1000 bin/jailer
    not_taken "bin/jailer is not root's"
    chown 0 bin/jailer
    chmod 777 .
    not_taken "can be changed by others than root"
    chmod 755 .
    chmod 1777 bin # what is root's stays so there, but not in the jailer's own folder
    not_taken "/bin can be changed by others than root"
    chmod 755 bin
    chown 1000 bin
    not_taken "/bin is not root's"
    chown 0 bin
    mv bin/jailer other
    ln -s "$PWD/other" bin/jailer
    not_taken "is not a regular file"
    rm bin/jailer
    capture cofferdam plan --json --boundary microvm --runtime "$PWD/bin/firecracker" --image small -- true
    expect_out_lacks no_jailer
    cp "$BUILD_DIR/tests/tools/fake-jailer" bin/jailer
    capture cofferdam plan --json --boundary microvm --runtime "$PWD/bin/firecracker" --image small -- true
    expect_out_has '"jailer": "'
    COFFERDAM_BARE=$COFFERDAM
    printf '#!/bin/sh\nexec setpriv --bounding-set -mknod %s "$@"\n' "$COFFERDAM_BARE" >bare
    chmod 755 bare
    COFFERDAM=$PWD/bare
    not_taken "CAP_MKNOD"
    if [ -c /dev/kvm ] && [ "$(stat -c %a /dev/kvm)" -lt 666 ]; then # nor can a node of its own be made for it
        sed -i '/^no-kvm/d' "$XDG_CACHE_HOME/cofferdam/machine/firecracker"
        capture fc -- true
        expect_status 125
        expect_err_has "root may make no device nodes here (CAP_MKNOD)"
    fi
    COFFERDAM=$COFFERDAM_BARE
    cp /usr/bin/env bin/firecracker # which needs libraries
    not_taken "is not a static program"
}

test_clones_through_the_jailer() {
    need root
    mkdir -p bin
    cp "$BUILD_DIR/tests/tools/fake-jailer" bin/jailer
    fake
    clones
}

# Of one that goes on from a snapshot only what has changed is written, and joined to what it was before.
test_only_what_has_changed() {
    local version
    for version in 1.12.0 1.14.2; do # which call it differently
        fake create=5 "version=$version"
        fc --detach --name first -- sleep 600 >ids
        cofferdam snapshot create first --name mem >out
        cofferdam kill first
        cofferdam clone mem >out
        capture cofferdam snapshot create first-1 --name one
        expect_status 0
        cofferdam snapshot rm --force one # what it was is still known
        capture cofferdam snapshot create first-1 --name two
        expect_status 0
        capture cofferdam exec first-1 -- echo on
        expect_out on
        cofferdam kill first-1
        cofferdam snapshot restore two >out
        capture cofferdam snapshot create first-1 --name three
        expect_status 0
        cofferdam kill first-1
        cofferdam clone three >names
        capture cofferdam exec first-1-1 -- echo back
        expect_out back
        cofferdam kill first-1-1
        await 5 nothing_left
        cofferdam snapshot rm --force --recursive mem
    done
}

# 1.14.0 and 1.14.1 write what has changed behind 3 GiB to a wrong place: of those all of such a memory is written.
test_changes_that_go_astray() {
    fake version=1.14.1
    fc --memory 3073M --detach --name first -- sleep 600 >ids
    cofferdam snapshot create first --name mem >out
    cofferdam kill first
    cofferdam clone mem >out
    cofferdam snapshot create first-1 --name again >out
    cofferdam kill first-1
    capture cofferdam snapshot restore again
    expect_status 0
    capture cofferdam exec first-1 -- echo on
    expect_out on
    cofferdam kill first-1
    await 5 nothing_left
    cofferdam snapshot rm --force --recursive mem
}

# Firecracker, then Cloud Hypervisor, then QEMU: each where the one before cannot, with the reason.
choice_of() { # RUNTIME VERSION VERSION WORDS: of the two stand-ins, and what stands in the plan
    fake_vmm firecracker "version=$2"
    fake_vmm cloud-hypervisor "version=$3"
    cat >choose <<'END'
mount --bind bin /usr/local/bin
"$COFFERDAM" plan --json --boundary microvm --image small -- true >out 2>&1
sed -i '/^no-kvm/d' "$XDG_CACHE_HOME"/cofferdam/machine/{firecracker,cloud-hypervisor}
exec "$COFFERDAM" plan --json --boundary microvm --image small -- true
END
    capture unshare --mount --propagation private bash choose
    expect_out_has "\"runtime\": \"$1\""
    expect_out_has "$4"
}
test_the_next_is_taken() {
    need root
    export COFFERDAM
    choice_of firecracker 1.14.2 51.1 "firecracker: the first of"
    choice_of firecracker 1.7.0 51.1 "firecracker: the first of"
    choice_of cloud-hypervisor 1.6.0 51.1 "known here are 1.7 to 1.16"
    choice_of qemu 1.6.0 42.0 "known here are 43 to 53"
}

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

. "$(dirname "$0")/vmm-api.sh"
