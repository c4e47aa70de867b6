#!/usr/bin/env bash
# What libvirt does with its domains, done with whole machines of ours: saved and gone on with, reset,
# cloned with disks that need nothing else.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/system/machine.sh
. "$(dirname "$0")/machine.sh"
# shellcheck source=tests/system/libvirt-lib.sh
. "$(dirname "$0")/libvirt-lib.sh"

overlay_of() { find "$XDG_STATE_HOME" -name disk0.qcow2 -path "*$1*"; }
starts_twice() { [ "$(cofferdam logs "$1" | grep -c "boot sector is here")" = 2 ]; }
below() { qemu-img info -U --output=json "$1" | sed -n 's/.*"backing-filename": "\(.*\)".*/\1/p'; }

# variables_are FILE WHAT: what the firmware of a machine with that disk would begin with.
variables_are() {
    cofferdam plan --json --boundary vm --runtime libvirt --set machine.firmware=uefi --image "disk:$PWD/disk" >plan
    expect_equal "$(json 'd["plan"]["machine"]["vars"]' <plan)" "$1" "$2"
}

# The guest reads them all: a link that came with the disk would show it whatever of the person's.
test_variables_beside_a_disk() {
    need qemu-img
    local usual=/usr/share/OVMF/OVMF_VARS_4M.fd
    [ -r $usual ] || { echo "needs ovmf" >"$T/skip"; exit 77; }
    qemu-img create -q -f qcow2 disk 1M
    cp $usual disk.vars
    variables_are "$PWD/disk.vars" "those beside it"
    mv disk.vars secret
    ln -s "$PWD/secret" disk.vars
    variables_are $usual "a link"
    rm disk.vars
    head -c 4096 secret >disk.vars
    variables_are $usual "of another size"
}

test_saved_and_gone_on_with() {
    need_libvirt
    vm --detach --name own >out
    await 5 says own "boot sector is here"
    type_to own nn
    await 5 says own 12
    capture cofferdam domain start own
    expect_status 125
    expect_err_has "it runs"
    cofferdam domain save own
    await 10 no_domains
    expect_equal "$(cofferdam ps -q)" "" "what runs after save"
    cofferdam domain start own >out
    type_to own n
    await 10 says own 3
    expect_equal "$(cofferdam snapshot list -q)" "" "snapshots after it has gone on"
    cofferdam pause own # as it was saved it may stand still; it goes on when it is started
    cofferdam domain save own
    cofferdam domain start own >out
    type_to own n
    await 10 says own 4
    cofferdam domain save own
    cofferdam domain forget-save own
    capture cofferdam domain start own
    expect_status 125
    expect_err_has "no memory of a machine"
    expect_equal "$(cofferdam snapshot list -q)" "" "snapshots after forget-save"
    await 15 all_gone
}

test_what_cannot_be_saved_runs_on() {
    need_libvirt
    vm --detach --name taken >out
    await 5 says taken "boot sector is here"
    cofferdam snapshot create --files --name saved-taken taken >out
    capture cofferdam domain save taken
    expect_status 125
    expect_err_has "saved before"
    type_to taken n
    await 5 says taken 1
    cofferdam domain reset taken
    await 10 starts_twice taken
    type_to taken n
    await 10 says taken here1 # it counts anew
    cofferdam kill taken
    cofferdam snapshot rm --force saved-taken
    cofferdam run --detach --name plain -- sleep 1000 >out
    capture cofferdam domain save plain
    expect_status 125
    expect_err_has "no whole machine"
    capture cofferdam clone --full plain
    expect_status 125
    expect_err_has "--full is for whole machines"
    cofferdam kill plain
    await 15 all_gone
}

# Whatever else has the name it would be saved under is neither started nor thrown away.
test_only_what_was_saved_is_gone_on_with() {
    need userns
    local verb name
    cofferdam run --detach --name other -- sleep 1000 >out
    cofferdam snapshot create --name saved-mine other
    cofferdam snapshot create --name saved-other other
    cofferdam kill other
    for verb in start forget-save; do
        for name in mine other; do
            capture cofferdam domain $verb $name
            expect_status 125
            expect_err_has "is saved under that name"
        done
    done
    expect_equal "$(cofferdam ps -q)" "" "what runs"
    expect_equal "$(cofferdam snapshot list -q | wc -l)" 2 "snapshots that are left"
    cofferdam snapshot rm --force saved-mine saved-other
}

# Its UUID is anybody's to say: processes of the same user, and of another's, are left alone.
test_who_says_to_be_a_machine_is_none() {
    need_libvirt
    need pgrep
    vm --detach --name real >out
    posing real
    ! have root || posing real setpriv --reuid 65534 --clear-groups
    only_the_machine_ends real
}

# Killed before it has heard that there is a machine, beside a libvirt that hangs: that machine ends all the same.
test_who_is_killed_before_it_knows() {
    need_libvirt
    need python3 pgrep
    local running
    through 10 # REMOTE_PROC_DOMAIN_CREATE_XML
    trap 'kill -CONT $BETWEEN && kill $BETWEEN || :' EXIT
    touch hold
    URI=$LIBVIRT_DEFAULT_URI vm --detach --name early >out 2>err &
    running=$!
    await 30 stands_made
    kill -STOP $BETWEEN
    kill -9 "$(pgrep -P "$(pgrep -P "$(field early monitor_pid)" -f 'cofferdam-domain drive')")"
    await 10 gone_pid "$(cat machine)"
    rm hold
    kill -CONT $BETWEEN
    STATUS=0
    wait $running || STATUS=$?
    expect_equal "$STATUS" 125 status
    grep -q "killed by signal 9" err || { cat err; fail "it does not say why"; }
    await 15 all_gone
}
stands_made() {
    local name
    name=$(domains)
    [ -n "$name" ] && [ "$(virsh -c "$URI" domstate "$name" 2>/dev/null)" = paused ] && pgrep -f "guest=$name," >machine
}

# What such a script starts cannot be told from what says to be it.
test_an_emulator_that_is_a_script() {
    need_libvirt
    mkdir wrapped
    printf '#!/bin/sh\nexec %s "$@"\n' "$(command -v qemu-system-x86_64)" >wrapped/qemu-system-x86_64
    chmod 0755 wrapped/qemu-system-x86_64
    PATH=$PWD/wrapped:$PATH libvirtd_again
    vm --detach --name wrapped >out
    await 15 is_said_to_be_unseen
    cofferdam kill wrapped
    await 15 all_gone
    libvirtd_again
}
is_said_to_be_unseen() { cofferdam inspect wrapped | grep -q "its process is not seen"; }
libvirtd_again() {
    local pid
    pid=$(cat "$RUN/libvirtd.pid")
    stop_libvirtd
    await 20 gone_pid "$pid"
    start_libvirtd
}

# A place for a command is not kept for ever by a libvirt that hangs.
test_a_command_beside_a_libvirt_that_hangs() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo "takes 65 s: --long" >"$T/skip"; exit 77; }
    need_libvirt
    need python3
    through
    trap 'kill $BETWEEN || :' EXIT
    URI=$LIBVIRT_DEFAULT_URI vm --detach --name asked >out
    await 10 says asked "boot sector is here"
    touch hold
    capture timeout 100 "$COFFERDAM" exec --no-tty asked -- true
    rm hold
    expect_status 125
    expect_err_has "libvirt does not answer"
    cofferdam kill asked
    await 15 all_gone
}

# libvirt ends a domain that is taken back to a snapshot, and begins another: that one is not ours to keep.
test_another_program_takes_it_back() {
    need_libvirt
    local running
    vm --set console.terminal=no --name back >out 2>err </dev/null &
    running=$!
    await 20 grep -q "boot sector is here" out
    virsh -c "$URI" snapshot-create-as "$(domains)" theirs >said
    virsh -c "$URI" snapshot-revert "$(domains)" theirs >said 2>&1 || : # it may be gone before virsh is answered
    STATUS=0
    wait $running || STATUS=$?
    expect_equal "$STATUS" 125 status
    grep -q "another program took it back to a snapshot" err || { cat err; fail "it does not say why"; }
    await 15 all_gone
}

# On another file system a disk is copied to where it belongs: what is a person's there is left alone.
test_what_lies_beside_an_installed_disk() {
    need_libvirt
    need python3
    local other=/dev/shm/${RUN##*/}
    [ "$(stat -c %d /dev/shm)" != "$(stat -c %d "$XDG_STATE_HOME")" ] || { echo "needs a second file system" >"$T/skip"; exit 77; }
    mkdir "$other"
    # shellcheck disable=SC2064 # this one
    trap "rm -rf '$other'" EXIT
    boot_cd >cd.iso
    echo mine >"$other/new.disk.part"
    cofferdam install --accel tcg --set "machine.uri=$URI" --set machine.type=pc --memory 32M --size 8M \
        --detach --name installs cd.iso "$other/new.disk" >out 2>err
    await 20 says installs "i installs"
    type_to installs i
    await 15 all_gone
    expect_equal "$(cat "$other/new.disk.part")" mine "a file that was there"
    expect_equal "$(find "$other" -mindepth 1 -printf '%f\n' | sort | tr '\n' ' ')" "new.disk new.disk.part " "what is there"
}

# The disk below goes, and the snapshot: what was cloned whole needs neither.
test_a_full_clone_stands_alone() {
    need_libvirt
    local id
    cp "$RUN/disk" base
    truncate -s 3M base
    qemu-img convert -f raw -O qcow2 base mine.qcow2
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.type=pc --memory 32M \
        --image "disk:$PWD/mine.qcow2" --detach --name first >out
    await 5 says first "boot sector is here"
    type_to first n
    await 5 says first 1
    cofferdam snapshot create --memory --name one first
    cofferdam clone --name second one >out
    type_to second n # to a machine that has gone on
    await 10 says second 2
    cofferdam snapshot create --memory --name two second
    cofferdam clone --full --name whole two >out
    id=$(cat out)
    qemu-img compare -q -U "$(overlay_of "$id")" mine.qcow2 || fail "it has other bytes"
    type_to whole n
    await 10 says whole 3
    expect_equal "$(below "$(overlay_of "$id")")" "" "what is below the disk of a full clone"
    id=$(cofferdam clone --name linked two)
    [ -n "$(below "$(overlay_of "$id")")" ] || fail "a linked clone lies over nothing"
    cofferdam kill first second linked
    cofferdam snapshot rm --force one two
    rm mine.qcow2
    cofferdam snapshot create --memory --name three whole
    cofferdam snapshot restore --force three >out
    type_to whole n
    await 10 says whole 4
    cofferdam kill whole
    cofferdam snapshot rm --force three
    await 15 all_gone
}

# A snapshot of one started from a snapshot of one started from a snapshot …: the way out that is named leads out.
test_a_disk_that_lies_on_too_many() {
    need_libvirt
    need qemu-img qemu-io
    local disk below format=raw n id
    vm --detach --name deep --set machine.disk-size=1M >out
    cofferdam snapshot create --files --name deepest deep
    cofferdam kill deep
    disk=$(find "$XDG_STATE_HOME/cofferdam/snapshots" -name disk0.qcow2)
    below=$(below "$disk")
    chmod u+w "$disk" "$(dirname "$disk")"
    for n in {1..64}; do
        qemu-img create -q -u -f qcow2 -b "$below" -F $format "${disk%/*}/below$n" 1M
        below=${disk%/*}/below$n format=qcow2
    done
    qemu-img rebase -q -u -f qcow2 -b "$below" -F qcow2 "$disk"
    qemu-io -f qcow2 -c "write -q -P 5 64k 64k" "${disk%/*}/below5" >out
    capture cofferdam clone --name linked deepest
    expect_status 125
    expect_err_has "lies on more than 64 others"
    expect_err_has '"cofferdam clone --full SNAPSHOT"'
    id=$(cofferdam clone --full --name whole deepest)
    await 10 says whole "boot sector is here"
    expect_equal "$(below "$(overlay_of "$id")")" "" "what is below the disk of a full clone"
    qemu-img compare -q -U "$(overlay_of "$id")" "$disk" || fail "it has other bytes"
    qemu-io -r -U -f qcow2 -c "read -q -P 5 64k 64k" "$(overlay_of "$id")" || fail "what the sixtieth below holds is not in it"
    cofferdam snapshot create --files --name of-whole whole
    cofferdam clone --name linked of-whole >out
    await 10 says linked "boot sector is here"
    cofferdam kill whole linked
    await 15 all_gone
    cofferdam snapshot rm --force deepest of-whole
}

# Of a workload as it is now, by a snapshot that is gone when they run: they need it no longer.
test_a_clone_of_what_runs() {
    need_libvirt
    vm --detach --name runs >out
    await 5 says runs "boot sector is here"
    type_to runs nn
    await 5 says runs 12
    cofferdam clone --name too runs >out
    expect_equal "$(cofferdam snapshot list -q)" "" "snapshots after the clone"
    cofferdam snapshot create --memory --name of-too too
    cofferdam snapshot restore --force of-too >out
    type_to too n
    await 10 says too 3
    cofferdam kill runs too
    cofferdam snapshot rm --force of-too
    await 15 all_gone
}

test_zy_the_daemon_goes() { daemon_goes; }

run_tests "$@"
