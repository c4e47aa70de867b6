#!/bin/bash
# Whole machines on QEMU by itself, in the jail microVMs have: a disk that boots its own system, and an image of
# the store; what they are told, cloned and refused. Debian boots with --long.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
# shellcheck source=tests/system/whole.sh
. "$(dirname "$0")/whole.sh"

need_qemu() {
    need userns qemu-system-x86_64
    [ "$(uname -m)" = x86_64 ] || { echo "needs an x86_64 machine" >"$T/skip"; exit 77; }
    [ -e "$RUN/disk" ] || boot_sector >"$RUN/disk"
}
whole() { cofferdam run --boundary vm --runtime qemu --accel tcg --cpus 1 "$@"; }
sector_of() { whole --set machine.type=pc --memory 32M --image "disk:$RUN/disk" "$@"; }
refused() { # WORD ARGUMENT…
    capture whole "${@:2}"
    expect_status 125
    expect_err_has "$1"
}
all_gone() { nothing_runs && [ -z "$(cofferdam ps -a -q)" ]; }
state_is() { cofferdam ps -a 2>/dev/null | grep -q "$1 *$2"; }
monitor_of() { cofferdam inspect --json "$1" | sed -n 's/.*"monitor_pid": *\([0-9]*\).*/\1/p' | head -n 1; }

test_it_boots_what_is_no_linux() {
    need_qemu
    sum=$(sha256sum <"$RUN/disk")
    printf 'nnnq' >keys
    STATUS=0
    timeout 60 "$COFFERDAM" run --boundary vm --runtime qemu --accel tcg --set machine.type=pc --memory 32M --cpus 1 \
        --set console.terminal=no --image "disk:$RUN/disk" <keys >out 2>err || STATUS=$?
    expect_equal "$STATUS" 0 status
    grep -q "boot sector is here" out || { cat out err; fail "it has not spoken"; }
    grep -q 123 out || { cat out; fail "it has not heard"; }
    expect_equal "$(sha256sum <"$RUN/disk")" "$sum" "the disk"
    await 10 all_gone
    if command -v qemu-img >/dev/null; then
        qemu-img convert -O qcow2 "$RUN/disk" packed.qcow2
        whole --set machine.type=q35 --memory 32M --image "disk:$PWD/packed.qcow2" --set machine.disk-size=1M --detach --name packed >id
        await 20 says packed "boot sector is here"
        capture cofferdam plan --json --boundary vm --runtime qemu --accel tcg --image "disk:$PWD/packed.qcow2" 
        expect_out_has '"disk_format": "qcow2"'
        cofferdam kill packed
        qemu-img create -q -f qcow2 -F raw -b "$RUN/disk" overlay.qcow2
        refused "overlay over another file" --image "disk:$PWD/overlay.qcow2"
    fi
}

test_what_nobody_inside_can_do() {
    need_qemu
    ID=$(sector_of --detach --name alone)
    await 20 says alone "boot sector is here"
    capture cofferdam exec alone -- true
    expect_status 125
    expect_err_has "it boots its own disk, and there is nobody of ours in it; mend: cofferdam attach"
    capture cofferdam cp alone:/etc .
    [ "$STATUS" != 0 ] || fail "files came out of it"
    expect_err_has "nobody of ours in it"
    capture cofferdam kill --signal USR1 alone
    [ "$STATUS" != 0 ] || fail "it knows that signal"
    prove_jail "$(qemu_of "$ID")" "etc lib lib64 usr "
    cofferdam pause alone
    capture cofferdam ps
    expect_out_has paused
    cofferdam resume alone
    capture cofferdam stats --json alone
    grep -Eq '"guest_read": *[1-9]' out || { show_capture; fail "its disk's counters"; }
    type_to alone nn
    await 10 says alone 12
    # it knows no ACPI: asked, then switched off
    capture cofferdam stop --time 1s alone
    expect_status 0
    await 10 all_gone
}

test_refused() {
    need_qemu
    local disk="disk:$RUN/disk"
    for setting in machine.firmware=uefi machine.firmware=secure-boot machine.tpm=yes machine.display=window \
        "machine.cdrom=$RUN/disk" "machine.disk=$RUN/disk" machine.gpu=virtio machine.device=usb:046d:c52b \
        machine.guest=windows machine.card=passt machine.uri=qemu:///session machine.install=yes; do
        refused "${setting%%=*}" --image "$disk" --set "$setting"
        expect_err_has "--runtime libvirt"
    done
    refused "machine.type = microvm" --image "$disk" --set machine.type=microvm
    refused "--runtime libvirt" --image "$disk" --network host
    refused "machine.warm" --image "$disk" --set machine.warm=yes
    refused "files.copy-in" --image "$disk" --copy-in "$RUN/disk:/x"
    refused "lifecycle.restart" --image "$disk" --set lifecycle.restart=always
    refused "nobody in it to be given a command" --image "$disk" -- true
    refused "$PWD/none" --image "disk:$PWD/none"
    # libvirt is still what it is by itself
    capture cofferdam plan --json --boundary vm --accel tcg --image "$disk"
    expect_out_has '"runtime": "libvirt"'
    capture cofferdam plan --boundary vm --runtime qemu --accel tcg --image "$disk"
    expect_out_has "over $RUN/disk"
}

# Its memory and its disk: each goes on by itself from what it was.
test_clones() {
    need_qemu
    local n begin
    sector_of --detach --name first >id
    await 20 says first "boot sector is here"
    type_to first nn
    await 10 says first 12
    capture cofferdam snapshot create first --name sofar
    expect_status 0
    expect_out_has "files and memory of first"
    type_to first n
    await 10 says first 3
    FILES=$XDG_STATE_HOME/cofferdam/snapshots/$(cofferdam snapshot list --quiet)/files
    sha256sum "$FILES"/* >before
    rm -r "$XDG_CACHE_HOME/cofferdam/blanks" # made again
    begin=${EPOCHREALTIME/[.,]/}
    capture cofferdam clone sofar --number 2
    echo "# two clones: $(((${EPOCHREALTIME/[.,]/} - begin) / 1000)) ms"
    expect_status 0
    expect_err_has "nobody tells it that it is another one now"
    for n in first-1 first-2; do
        type_to "$n" nn
        await 10 says "$n" 34
        ! says "$n" here || fail "$n has booted"
    done
    type_to first n
    await 10 says first 4
    if [ "$(id -u)" = 0 ]; then # nobody has the memory open for writing
        awk '/\/memory$/ { print $2 }' "/proc/$(qemu_of "$(field first-1 id)")/maps" | sort -u >modes
        grep -q p modes || fail "not from the file"
        ! grep -q s modes || fail "shared: $(cat modes)"
    fi
    sha256sum -c --quiet before || fail "the snapshot was written to"
    # one of a clone that stands still, which goes on standing still
    cofferdam pause first-2
    capture cofferdam snapshot create first-2 --name still
    expect_status 0
    state_is first-2 paused || fail "it goes on"
    cofferdam kill first-2
    cofferdam snapshot restore still >out
    type_to first-2 n
    await 10 says first-2 5
    cofferdam kill first first-1 first-2
    await 10 all_gone
    # what is below it has to be what it was
    touch -d 2001-01-01 "$RUN/disk"
    capture cofferdam clone sofar
    expect_status 125
    expect_err_has "has been changed since"
    cofferdam snapshot rm --force --recursive sofar still
}

# A snapshot has only what differs from the disk below: that has to be the one it was started on.
test_the_disk_below() {
    need_qemu
    cp "$RUN/disk" below
    whole --set machine.type=pc --memory 32M --image "disk:$PWD/below" --detach --name over >id
    await 20 says over "boot sector is here"
    capture cofferdam snapshot create over --name early
    expect_status 0
    cp below other
    mv other below
    capture cofferdam snapshot create over --name replaced
    [ "$STATUS" != 0 ] || fail "a snapshot over another disk"
    expect_err_has "$PWD/below has been changed since"
    capture cofferdam clone early
    expect_status 125
    expect_err_has "$PWD/below has been changed since"
    rm below
    capture cofferdam snapshot create over --name removed
    [ "$STATUS" != 0 ] || fail "a snapshot over no disk"
    expect_err_has "$PWD/below has been changed since"
    type_to over nn
    await 10 says over 12
    cofferdam kill over
    await 10 all_gone
    cofferdam snapshot list --quiet | xargs "$COFFERDAM" snapshot rm --force
}

test_a_disk_that_is_no_file() {
    need_qemu
    refused "neither a file nor a block device" --image disk:/dev/zero
    mkfifo pipe
    refused "neither a file nor a block device" --image "disk:$PWD/pipe"
    if [ "$(id -u)" = 0 ] && command -v losetup >/dev/null; then
        local device
        device=$(losetup --find --show --read-only "$RUN/disk") || return 0
        capture whole --image "disk:$device"
        losetup --detach "$device"
        expect_status 125
        expect_err_has "has a disk that is a file; mend: --runtime libvirt"
    fi
}

test_no_clones_where_they_would_be_the_same() {
    need_qemu
    sector_of --set machine.clones=fresh --detach --name strict >id
    await 20 says strict "boot sector is here"
    cofferdam snapshot create strict --name of-strict >out
    capture cofferdam clone of-strict
    expect_status 125
    expect_err_has "machine.clones = fresh"
    capture cofferdam clone --dry-run strict
    expect_status 125
    expect_err_has "machine.clones = fresh"
    cofferdam kill strict
    cofferdam snapshot restore of-strict >out # the same one, once
    type_to strict nn
    await 10 says strict 12
    cofferdam kill strict
    cofferdam snapshot rm --force of-strict
    capture cofferdam profile show strong
    expect_out_has "clones"
}

test_kill_9() {
    need_qemu
    ID=$(sector_of --keep always --detach --name victim)
    kill -9 "$(qemu_of "$ID")"
    await 10 state_is victim "exited 137"
    capture cofferdam inspect victim
    expect_out_has "killed by signal 9"
    cofferdam rm --force victim
    ID=$(sector_of --detach --name orphan)
    kill -9 "$(monitor_of orphan)"
    await 10 nothing_runs
    await 10 state_is orphan lost
    cofferdam prune --force >out
    await 10 all_gone
    # in the middle of a snapshot
    sector_of --detach --name half >id
    await 20 says half "boot sector is here"
    cofferdam snapshot create half --name of-half >out 2>err &
    MAKER=$!
    kill -9 "$(monitor_of half)"
    wait $MAKER || :
    await 10 nothing_runs
    cofferdam snapshot rm --force of-half 2>err || :
    cofferdam prune --force >out
    await 10 all_gone
    expect_equal "$(find "$XDG_CACHE_HOME/cofferdam/blanks" -type f ! -name '[0-9]*.qcow2')" "" "what is left"
}

# An image of the store, as behind a microVM, with a chipset.
machine() { whole --image small --memory 192M "$@"; }
vmm_of() { qemu_of "$@"; }
test_an_image() {
    need_machine
    capture machine -- sh -c 'echo up; cat /sys/class/dmi/id/product_name; exit 3'
    expect_status 3
    expect_out_has up
    capture machine --set machine.type=pc -- echo pc
    expect_out pc
    refused "machine.disk-size" --image small --set machine.disk-size=1G -- true
    refused "machine.type = microvm" --image small --set machine.type=microvm -- true
    prove_clones_with_files
}

# log in, go on in two others, each with a disk and a memory of its own; beside how long it took to boot.
its_clones() { # NAME DISK SECONDS MEMORY
    local name=$1 disk=$2 patience=$3 begin sum n
    sum=$(sha256sum <"$disk")
    begin=${EPOCHREALTIME/[.,]/}
    whole --memory "$4" --image "disk:$disk" --set machine.disk-size=2G --detach --name "$name" >id
    await "$patience" says "$name" "login:"
    echo "# boot to login: $(((${EPOCHREALTIME/[.,]/} - begin) / 1000)) ms"
    log_in "$name" 10
    shell "$name" 20 'echo here-$((40+2))' here-42
    shell "$name" 20 'echo sectors-$(cat /sys/block/vda/size)-' sectors-4194304-
    shell "$name" 20 'echo before >/root/note; echo done-$((1+1))' done-2
    capture cofferdam snapshot create "$name" --name "$name-then"
    expect_status 0
    shell "$name" 20 'echo after >/root/note; sync; echo changed-$((2+1))' changed-3
    begin=${EPOCHREALTIME/[.,]/}
    capture cofferdam clone "$name-then" --number 2
    echo "# two clones: $(((${EPOCHREALTIME/[.,]/} - begin) / 1000)) ms"
    expect_status 0
    for n in 1 2; do
        shell "$name-$n" 30 "echo is-\$(cat /root/note)-$n-" "is-before-$n-"
        shell "$name-$n" 30 "echo $name-$n >/root/note; sync; echo 3 >/proc/sys/vm/drop_caches; echo now-\$(cat /root/note)-" "now-$name-$n-"
    done
    shell "$name" 20 'echo still-$(cat /root/note)-' still-after-
    expect_equal "$(sha256sum <"$disk")" "$sum" "the disk"
}

is_gone() { [ -z "$(cofferdam ps -a -q --filter "name=$1")" ]; }
boots_again() { says "$1" "login:" && ! says "$1" changed-3; } # its firmware clears the screen
test_a_small_linux() {
    its_turn user
    need_disk_tools
    need_qemu
    small_disk
    its_clones small "$RUN/small.disk" 90 128M
    type_to small-1 $'poweroff -f\n'
    await 30 is_gone small-1
    # there is no firmware in what it goes on from
    capture cofferdam kill --signal HUP small-2
    [ "$STATUS" != 0 ] || fail "it was reset"
    expect_err_has "goes on from a snapshot"
    type_to small-2 $'reboot -f\n'
    await 30 is_gone small-2
    # who has booted begins anew by itself, from what is on its disk
    type_to small $'sync; reboot -f\n'
    await 90 boots_again small
    cofferdam kill small
    await 10 all_gone
    cofferdam snapshot rm --force small-then
}

test_a_debian() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo "needs --long" >"$T/skip"; exit 77; }
    need mmdebstrap
    need_disk_tools
    need_qemu
    debian_disk
    its_clones debian "$DEBIAN" 240 512M
    # the button of its case
    type_to debian-1 $'modprobe evdev; modprobe button; (head -c 1 /dev/input/event0 >/dev/null; poweroff -f) & echo armed-$((3+3))\n'
    await 20 says debian-1 armed-6
    capture cofferdam stop --time 60s debian-1
    expect_status 0
    capture cofferdam events --json
    cofferdam kill debian debian-2
    await 10 all_gone
    cofferdam snapshot rm --force debian-then
}

run_tests "$@"
