#!/bin/bash
# Root's libvirt as Debian ships it: QEMU is the account libvirt-qemu, which gets to what belongs to its
# machine and to nothing else of ours.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/system/machine.sh
. "$(dirname "$0")/machine.sh"
# shellcheck source=tests/system/libvirt-lib.sh
. "$(dirname "$0")/libvirt-lib.sh"
# shellcheck disable=SC2034 # read by lib.sh
USERS=root

# its: a folder of what belongs to the machine, and what libvirt-qemu may do there.
its() { echo "$XDG_STATE_HOME/cofferdam-libvirt/machines/$1"; }
as_qemu() { setpriv --reuid 64055 --regid 64055 --clear-groups "$@" 2>/dev/null; }
owner() { stat -c '%u %a' "$1"; }
no_folders() { [ -z "$(ls -A "$XDG_STATE_HOME/cofferdam-libvirt/machines" 2>/dev/null)" ]; }

test_aa_a_daemon_as_it_ships() {
    need libvirtd virsh qemu-system-x86_64 qemu-img setpriv
    [ "$(uname -m)" = x86_64 ] || { echo "needs an x86_64 machine" >"$T/skip"; exit 77; }
    [ -x "$(dirname "$COFFERDAM")/cofferdam-domain" ] || { echo "needs a build with libvirt" >"$T/skip"; exit 77; }
    start_default_libvirtd
    boot_sector >"$RUN/disk"
}
need_default() {
    LV=$RUN/lvd
    [ -S "$LV/run/libvirt-sock" ] || { echo "needs the daemon" >"$T/skip"; exit 77; }
    URI="qemu+unix:///system?socket=$LV/run/libvirt-sock"
    chmod 0644 "$RUN/disk"
}

test_its_files_are_its_own() {
    need_default
    sum=$(sha256sum <"$RUN/disk") was=$(owner "$RUN/disk")
    ID=$(vm --detach --name own --set machine.display=window)
    await 10 says own "boot sector is here"
    expect_equal "$(stat -c %u "/proc/$(field own pid)")" 64055 "who QEMU is"
    expect_equal "$(owner "$(its "$ID")/disk0.qcow2")" "64055 600" "the overlay"
    expect_equal "$(owner "$(its "$ID")")" "0 710" "its folder"
    if as_qemu touch "$(its "$ID")/new"; then fail "it makes files beside its disks"; fi
    if as_qemu ls "$(its "")"; then fail "it lists others' folders"; fi
    if as_qemu ls "$XDG_STATE_HOME/cofferdam"; then fail "it sees our state"; fi
    if as_qemu ls "$XDG_RUNTIME_DIR/cofferdam/$ID"; then fail "it sees our sockets"; fi
    expect_equal "$(python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print(s.recv(3).decode())' "$XDG_RUNTIME_DIR/cofferdam/$ID/screen")" RFB "its screen"
    type_to own nnq
    await 15 all_gone
    no_folders || fail "a folder is left"
    expect_equal "$(sha256sum <"$RUN/disk")" "$sum" "the disk"
    expect_equal "$(owner "$RUN/disk")" "$was" "the disk's owner"
}

test_a_disk_it_may_not_read() {
    need_default
    mkdir -m 0700 closed
    cp "$RUN/disk" closed/disk
    capture cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.type=pc --memory 32M \
        --image "disk:$PWD/closed/disk"
    expect_status 125
    expect_err_has "user 64055"
    expect_err_has "/var/lib/libvirt/images"
    expect_equal "$(stat -c %a closed)" 700 "the folder's mode"
    capture vm --set "machine.cdrom=$PWD/closed/disk"
    expect_status 125
    expect_err_has "closed/disk"
    # a folder of ours it cannot get to is said to be that
    chmod 0700 "$XDG_STATE_HOME"
    capture vm
    chmod 0711 "$XDG_STATE_HOME"
    expect_status 125
    expect_err_has "closed to user 64055"
    expect_err_has XDG_STATE_HOME
    await 10 all_gone
    no_folders || fail "a folder is left"
}

test_snapshots_and_clones() {
    need_default
    vm --detach --name snap >out
    await 10 says snap "boot sector is here"
    type_to snap nn
    await 5 says snap 12
    cofferdam snapshot create --memory --name after-two snap
    type_to snap nnn
    await 5 says snap 12345
    cofferdam snapshot restore --force after-two >out
    type_to snap n
    await 10 says snap 3
    cofferdam clone --name twin after-two >out
    type_to twin n
    await 10 says twin 3
    cofferdam snapshot create --memory --name of-twin twin # one of what came from one
    cofferdam clone --name third of-twin >out
    type_to third n
    await 10 says third 4
    cofferdam kill snap twin third
    await 15 all_gone
    cofferdam snapshot rm --force after-two of-twin
    no_folders || fail "a folder is left"
}

test_what_is_kept_is_root_s_again() {
    need_default
    ID=$(vm --detach --name kept --keep always)
    await 10 says kept "boot sector is here"
    type_to kept q
    await 15 ended kept
    expect_equal "$(owner "$XDG_STATE_HOME/cofferdam/workloads/$ID/scratch/disk0.qcow2")" "0 600" "the kept overlay"
    no_folders || fail "a folder is left"
    ID=$(vm --detach --name lost --keep always)
    kill -9 "$(field lost monitor_pid)"
    await 15 no_domains
    await 10 no_folders
    expect_equal "$(owner "$XDG_STATE_HOME/cofferdam/workloads/$ID/scratch/disk0.qcow2")" "0 600" "of one that was killed"
    cofferdam prune --force >out
    await 10 all_gone
}
ended() { cofferdam ps -a | grep -q "$1 *exited 0"; }

test_what_is_installed_is_root_s() {
    need_default
    need python3
    boot_cd >"$RUN/cd.iso"
    chmod 0644 "$RUN/cd.iso"
    cofferdam install --accel tcg --set "machine.uri=$URI" --set machine.type=pc --memory 32M --size 8M \
        --detach --name installs "$RUN/cd.iso" new.disk >out 2>err
    await 20 says installs "i installs"
    type_to installs i
    await 15 all_gone
    expect_equal "$(owner new.disk)" "0 600" "the disk"
    no_folders || fail "a folder is left"
}

test_kill_9_leaves_nothing() {
    need_default
    ID=$(vm --detach --name all)
    MONITOR=$(field all monitor_pid)
    KEEPER=$(pgrep -P "$MONITOR" -f 'cofferdam-domain drive')
    kill -9 "$MONITOR" "$KEEPER" "$(pgrep -P "$KEEPER")"
    expect_equal "$(domains)" "cofferdam-$ID" "what is left"
    cofferdam prune --force >out
    await 10 all_gone
    no_folders || fail "a folder is left"
}

# Nor is one of the very account that libvirt gives its machines.
test_who_says_to_be_a_machine_is_none() {
    need_default
    need setpriv pgrep
    vm --detach --name real >out
    expect_equal "$(owner "/proc/$(field real pid)" | cut -d' ' -f1)" 64055 "the account"
    posing real setpriv --reuid 65534 --clear-groups
    posing real setpriv --reuid 64055 --clear-groups
    only_the_machine_ends real
    no_folders || fail "a folder is left"
}

test_uefi_and_a_tpm() {
    need_default
    need swtpm
    [ -r /usr/share/OVMF/OVMF_CODE_4M.fd ] || { echo "needs ovmf" >"$T/skip"; exit 77; }
    ID=$(cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.firmware=uefi \
        --set machine.tpm=yes --memory 128M --image "disk:$RUN/disk" --detach --name uefi)
    virsh -c "$URI" dumpxml "cofferdam-$ID" >xml
    grep -q "<tpm model='tpm-crb'>" xml
    expect_equal "$(owner "$(its "$ID")/firmware.fd")" "64055 600" "the firmware's variables"
    cofferdam kill uefi
    await 10 all_gone
}

test_an_image_of_the_store() {
    need_default
    need_machine
    capture cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --image small --memory 192M --cpus 1 \
        -- sh -c 'echo here; exit 7'
    cp err "$T" 2>/dev/null || :
    expect_status 7
    expect_out here
    await 10 all_gone
    no_folders || fail "a folder is left"
}

test_zy_the_daemon_goes() {
    LV=$RUN/lvd
    [ ! -e "$LV/pid" ] || stop_default_libvirtd
}

run_tests "$@"
