#!/bin/bash
# A disk as clouds have them, from the firmware to a login on its serial line, and all that is done to
# a machine in its life. In every run a small Linux of busybox; with --long a Debian of mmdebstrap's.
# One disk for both firmwares: GPT, GRUB for BIOS and for UEFI, ext4.
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/system/machine.sh
. "$(dirname "$0")/machine.sh"
# shellcheck source=tests/system/libvirt-lib.sh
. "$(dirname "$0")/libvirt-lib.sh"

need_disks() {
    need_disk_tools
    need_libvirt
}

# its_life NAME DISK FIRMWARE SECONDS: all that is done to one.
its_life() {
    local name=$1 disk=$2 firmware=$3 patience=$4 memory=${5:-128M} sum
    local machine=(--boundary vm --accel tcg --set "machine.uri=$URI" --set "machine.firmware=$firmware" --memory "$memory")
    sum=$(sha256sum <"$disk")
    cofferdam run "${machine[@]}" --set machine.disk-size=2G --image "disk:$disk" --detach --name "$name" >out
    log_in "$name" "$patience"
    shell "$name" 20 'echo here-$((40+2))' here-42
    shell "$name" 20 'echo sectors-$(cat /sys/block/vda/size)-' sectors-4194304-
    shell "$name" 20 'echo before >/root/note; sync; echo done-$((1+1))' done-2
    cofferdam snapshot create --memory --name "$name-then" "$name" >out
    shell "$name" 20 'echo after >/root/note; sync; echo changed-$((2+1))' changed-3

    # with the processors at a halt it stays so
    cofferdam pause "$name"
    cofferdam snapshot create --memory --name "$name-still" "$name" >out
    cofferdam snapshot rm --force "$name-still"
    expect_equal "$(virsh -c "$URI" domstate "cofferdam-$(field "$name" id)" | head -n 1)" paused "libvirt's state"
    cofferdam resume "$name"
    stop_libvirtd -9
    start_libvirtd
    await 15 pauses "$name"
    cofferdam resume "$name"
    shell "$name" 20 'echo still-$(cat /root/note)-' still-after-

    cofferdam snapshot restore --force "$name-then" >out
    shell "$name" 30 'echo back-$(cat /root/note)-' back-before-
    cofferdam clone --name "$name-twin" "$name-then" >out
    shell "$name-twin" 30 'echo twin >/root/note; echo twin-$(cat /root/note)-' twin-twin-
    shell "$name" 20 'echo mine-$(cat /root/note)-' mine-before-
    cofferdam kill "$name-twin"
    type_to "$name" $'poweroff -f\n'
    await 60 gone "$name"
    cofferdam snapshot rm --force "$name-then"
    await 15 all_gone
    expect_equal "$(sha256sum <"$disk")" "$sum" "the disk"
}
# What qemu-guest-agent does.
its_agent() {
    await 60 agent_does "$1" true
    capture cofferdam exec --no-tty "$1" -- sh -c 'echo "in $(cat /etc/hostname) $WORD"; echo err >&2; exit 5' 
    expect_status 5
    expect_out "in small "
    expect_err_has err
    capture cofferdam exec --no-tty --env WORD=told "$1" -- sh -c 'echo "$WORD\$\"x"'
    expect_out 'told$"x'
    capture cofferdam exec --no-tty "$1" -- /nope
    expect_status 127
    capture cofferdam exec --no-tty --user nobody "$1" -- true
    expect_status 125
    expect_err_has "a guest's own agent"
    capture cofferdam exec --no-tty "$1" -- sh -c 'head -c 100000 /dev/zero | tr "\0" x; kill -9 $$'
    expect_status 137
    expect_equal "$(wc -c <out)" 100000 "what it has said"
    # who asks it is ended
    "$COFFERDAM" exec --no-tty "$1" -- sleep 600 >out 2>err &
    local asker=$!
    await 20 agent_does "$1" pidof sleep
    kill -9 "$(asks "$1")"
    STATUS=0
    wait $asker || STATUS=$?
    expect_equal "$STATUS" 125 "with nobody to ask it"
    capture cofferdam exec --no-tty "$1" -- echo again
    expect_out again
    # its file systems stand still for it, and go on
    cofferdam snapshot create --files --name "$1-files" "$1" >out
    capture cofferdam exec --no-tty "$1" -- sh -c 'echo x >/root/x && sync && echo goes on'
    expect_out "goes on"
    cofferdam snapshot rm --force "$1-files"
}
asks() { pgrep -o -u "$(id -u)" -f "cofferdam-domain agent .* $(field "$1" id) "; }
agent_does() { local name=$1; shift; cofferdam exec --no-tty "$name" -- "$@" >/dev/null 2>&1; }
gone() { [ -z "$(cofferdam ps -q --filter "name=$1")" ]; }

# A minute each: BIOS through the session's daemon and UEFI through the system's, with --long both through both.
test_a_small_linux_bios() {
    its_turn user
    need_disks
    small_disk
    its_life bios "$RUN/small.disk" bios 60
}

test_a_small_linux_uefi() {
    its_turn root
    need_disks
    [ -r /usr/share/OVMF/OVMF_CODE_4M.fd ] || { echo "needs ovmf" >"$T/skip"; exit 77; }
    small_disk
    its_life uefi "$RUN/small.disk" uefi 90 256M
}

# A loader that nobody has signed: the firmware says no, and has nothing else to go on to.
test_secure_boot_refuses() {
    its_turn root
    need_disks
    [ -r /usr/share/OVMF/OVMF_CODE_4M.ms.fd ] || { echo "needs ovmf" >"$T/skip"; exit 77; }
    small_disk
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.firmware=secure-boot --memory 256M --cpus 1 \
        --image "disk:$RUN/small.disk" --detach --name unsigned >out
    await 60 says unsigned "Access Denied"
    cofferdam kill unsigned
    await 15 all_gone
}

# Its TPM is a process beside it, which ends with it.
test_a_guest_sees_its_tpm() {
    its_turn user
    need_disks
    need swtpm pgrep
    [ -r /usr/share/OVMF/OVMF_CODE_4M.fd ] || { echo "needs ovmf" >"$T/skip"; exit 77; }
    small_disk
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.firmware=uefi --set machine.tpm=yes \
        --memory 256M --cpus 1 --image "disk:$RUN/small.disk" --detach --name tpm >out
    log_in tpm 90
    shell tpm 30 'echo tpm-$(cat /sys/class/tpm/tpm0/tpm_version_major)-' tpm-2-
    pgrep -f "swtpm socket.*c0ffe4da-0000-4000-8000-$(field tpm id)" >pids || fail "no swtpm"
    cofferdam kill tpm
    await 15 all_gone
    await 15 no_swtpm
}
no_swtpm() { local pid; while read -r pid; do ! kill -0 "$pid" 2>/dev/null || return 1; done <pids; }

# uefi_cd FILE: a CD for UEFI alone. Its Linux puts a disk in place whose loader lies where no firmware looks by itself,
# and tells the firmware where, as an installer does.
uefi_cd() {
    local package kernel name part=11111111-2222-3333-4444-555555555555
    package=$(kernel_package) || { echo "needs the package linux-image-cloud-amd64" >"$T/skip"; exit 77; }
    dpkg-deb -x "$package" kernel
    mkdir -p cd/{bin,dev,sys,modules} tar
    cp "$(command -v busybox)" cd/bin/busybox
    for name in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk efivarfs; do
        kernel=$(find kernel/lib/modules -name "$name.ko" | head -n 1)
        [ -z "$kernel" ] || { cp "$kernel" cd/modules && echo "$name" >>cd/order; }
    done
    cat >cd/init <<'END'
#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
while read -r name; do busybox insmod "/modules/$name.ko"; done </order
busybox mount -t sysfs sys /sys
busybox mount -t efivarfs vars /sys/firmware/efi/efivars
echo "this CD is here, i installs"
read -r -n 1 key </dev/console
busybox gunzip -c /disk.gz >/dev/vda
busybox sync
for name in Boot0042 BootOrder; do
    busybox dd bs=4k if=/$name of=/sys/firmware/efi/efivars/$name-8be4df61-93ca-11d2-aa0d-00e098032b8c 2>/dev/null
done
echo installed
busybox poweroff -f
END
    chmod 0755 cd/init
    printf 'serial --speed=115200\nterminal_output serial\necho "booted by its own entry"\n' >own.cfg
    grub-mkimage -O x86_64-efi -o own.efi -p / -c own.cfg serial terminal echo
    truncate -s 2M own.img
    mformat -i own.img ::
    mmd -i own.img ::/own
    mcopy -i own.img own.efi ::/own/own.efi
    truncate -s 4M installed
    sfdisk -q installed <<<"label: gpt
start=2048, size=4096, type=uefi, uuid=$part"
    dd if=own.img of=installed bs=512 seek=2048 conv=notrunc status=none
    gzip <installed >cd/disk.gz
    python3 - "$part" <<'END'
import struct, sys, uuid
path = "\\own\\own.efi\0".encode("utf-16-le")
where = struct.pack("<BBHIQQ", 4, 1, 42, 1, 2048, 4096) + uuid.UUID(sys.argv[1]).bytes_le + b"\2\2"
where += struct.pack("<BBH", 4, 4, 4 + len(path)) + path + struct.pack("<BBH", 0x7f, 0xff, 4)
open("cd/Boot0042", "wb").write(struct.pack("<IIH", 7, 1, len(where)) + "own\0".encode("utf-16-le") + where)
open("cd/BootOrder", "wb").write(struct.pack("<IH", 7, 0x42))
END
    cp kernel/boot/vmlinuz-* tar/linux
    (cd cd && find . | busybox cpio -o -H newc -R 0:0 2>/dev/null) | gzip -1 >tar/initrd
    tar -cf memdisk -C tar linux initrd
    printf 'serial --speed=115200\nterminal_output serial\nlinux (memdisk)/linux console=ttyS0 quiet panic=-1
initrd (memdisk)/initrd\nboot\n' >cd.cfg
    grub-mkimage -O x86_64-efi -o cd.efi -p / -m memdisk -c cd.cfg serial terminal memdisk tar linux boot
    truncate -s 24M cd.img
    mformat -i cd.img ::
    mmd -i cd.img ::/EFI ::/EFI/BOOT
    mcopy -i cd.img cd.efi ::/EFI/BOOT/BOOTX64.EFI
    el_torito 0xef 49152 cd.img >"$1"
    rm -rf kernel cd tar memdisk cd.efi cd.img
}

# What the installer tells the firmware goes with the disk: without it there is nothing to boot.
test_a_system_is_installed_with_uefi() {
    its_turn user
    need_disks
    need gzip
    [ -r /usr/share/OVMF/OVMF_CODE_4M.fd ] || { echo "needs ovmf" >"$T/skip"; exit 77; }
    uefi_cd cd.iso
    cofferdam install --accel tcg --set "machine.uri=$URI" --set machine.firmware=uefi --memory 256M --cpus 1 --size 8M \
        --detach --name uefi cd.iso new.disk >out 2>err
    await 90 says uefi "i installs"
    type_to uefi i
    await 60 all_gone
    expect_file new.disk
    expect_file new.disk.vars
    sum=$(sha256sum <new.disk.vars)
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.firmware=uefi --memory 256M --cpus 1 \
        --image disk:./new.disk --detach --name booted >out
    await 60 says booted "booted by its own entry"
    cofferdam kill booted
    await 15 all_gone
    expect_equal "$(sha256sum <new.disk.vars)" "$sum" "the disk's own variables"
}

# What a profile of Windows wants, where there is none: two CDs of which the first one boots, its clock, its card.
test_a_machine_as_windows_wants_it() {
    need_libvirt
    need python3
    boot_cd >cd.iso
    head -c 100000 /dev/zero >drivers.iso
    ID=$(cofferdam install --profile windows --accel tcg --set "machine.uri=$URI" --memory 64M --cpus 1 --size 8M \
        --set machine.firmware=bios --set machine.tpm=no --set machine.cdrom=./drivers.iso --keep never \
        --detach --name windows cd.iso new.disk 2>err)
    await 20 says windows "i installs"
    virsh -c "$URI" dumpxml "cofferdam-$ID" >xml
    grep -q "<clock offset='localtime'" xml || fail "its clock"
    grep -A2 "device='cdrom'" xml | grep -q drivers.iso || grep -q drivers.iso xml || fail "its second CD"
    type_to windows i
    await 15 all_gone
    expect_file new.disk
}

# Where its network card leads.
test_its_card() {
    need_libvirt
    capture vm --network host --set machine.card=bridge:cdt-none
    expect_status 125
    expect_err_has cdt-none
    # Debian 12's libvirt has the word in its schema and not in its parser
    vm --network host --set machine.card=passt --detach --name card >id 2>err || STATUS=$?
    if [ ! -s id ]; then
        expect_equal "$STATUS" 125 status
        grep -q "machine.card = passt: not with this libvirt" err || { cat err; fail "not by its name"; }
    else
        await 10 says card "boot sector is here"
        virsh -c "$URI" dumpxml "cofferdam-$(cat id)" | grep -q "<backend type='passt'" || fail "no passt"
        cofferdam kill card
    fi
    await 15 all_gone
}

test_a_bridge_it_is_on() {
    need root ip
    need_libvirt
    [ -c /dev/net/tun ] || { echo "needs /dev/net/tun" >"$T/skip"; exit 77; }
    BRIDGE=cdt$BASHPID
    ip link add "$BRIDGE" type bridge 2>err || { echo "needs a kernel with bridges" >"$T/skip"; exit 77; }
    trap 'ip link del "$BRIDGE"' EXIT
    vm --network host --set "machine.card=bridge:$BRIDGE" --detach --name bridged >out
    [ -n "$(on_bridge)" ] || fail "its card is not on the bridge"
    await 10 says bridged "boot sector is here"
    cofferdam kill bridged
    await 15 all_gone
    await 5 on_bridge_is_none
}
on_bridge() { ip -o link show master "$BRIDGE"; }
on_bridge_is_none() { [ -z "$(on_bridge)" ]; }

test_its_processor() {
    need_libvirt
    capture vm --set machine.cpus-model=none-such
    expect_status 125
    expect_err_has none-such
    vm --set machine.cpus-model=Westmere --detach --name processor >id
    await 10 says processor "boot sector is here"
    virsh -c "$URI" dumpxml "cofferdam-$(cat id)" | grep "<model.*>Westmere</model>" >out || fail "another processor"
    cofferdam kill processor
    await 15 all_gone
}

test_a_guest_with_its_own_agent() {
    need_disks
    need pgrep
    small_disk
    [ -e "$RUN/small.agent" ] || { echo "needs the package qemu-guest-agent, or apt-get to download it" >"$T/skip"; exit 77; }
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --memory 128M --image "disk:$RUN/small.disk" \
        --network host --detach --name agent >out
    its_agent agent
    # what it says its addresses are
    agent_does agent ip link set lo up
    agent_does agent ip address add 192.0.2.7/32 dev lo
    capture cofferdam inspect agent
    expect_out_has "192.0.2.7 (lo, as the guest says)"
    # its watchdog is there, and it gives memory back when it is asked for it
    capture cofferdam exec --no-tty agent -- sh -c 'cat /sys/bus/pci/devices/*/device'
    expect_out_has 0x25ab
    if has_less_than 90000 agent; then fail "it has too little to give"; fi
    virsh -q -c "$URI" setmem "cofferdam-$(field agent id)" 96M --live
    await 20 has_less_than 90000 agent
    cofferdam kill agent
    await 15 all_gone
}

has_less_than() { agent_does "$2" sh -c "[ \$(sed -n 's/^MemTotal: *\([0-9]*\) .*/\1/p' /proc/meminfo) -lt $1 ]"; }

# It says "nobody feeds it", finds the i6300esb by its PCI ids, gives both its stages 64 ticks of a millisecond, switches
# it on, and halts. So the machine begins anew, and says so again.
hungry_sector() {
    sector fa31c08ed88ed0bc007cea0f7c0000becb7cac84c0741288c3bafd03eca82074f8baf80388d8eeebe966bb000000806689d8e81b00663d8680ab25741d6681c3000800006681fb0000018072e2f4ebfdbaf80c66efb2fc66edc36689d8b010e8eeff6683e0f06689c70f0116b57c0f20c0400f22c0b908008ec1480f22c066b940000000e81f00266766890fe81700266766894f046689d8b068baf80c66efb2fcb002eeeba72667c7470c80002667c7470c8600c30f00bb7c00000000000000000000ffff00000092cf006e6f626f64792066656564732069740d0a00
}

test_a_watchdog_that_fires() {
    need_libvirt
    hungry_sector >hungry
    capture cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.type=pc --memory 32M \
        --image "disk:$PWD/hungry" --keep always --detach --name hungry
    expect_status 0
    await 20 has_been_fed_up 3 hungry
    await 10 is_said_to_have_fired
    capture cofferdam inspect hungry
    expect_out_has "running"
    expect_out_has "the guest's watchdog fired, which nothing in it had fed: it was reset"
    expect_equal "$(grep -c "watchdog fired" out)" 1 "however often it does"
    cofferdam kill hungry
    await 15 no_domains
    cofferdam report hungry >report
    grep -q "watchdog fired" report || { cat report; fail "not in the report"; }
    cofferdam rm --force hungry
    await 15 all_gone
}
is_said_to_have_fired() { cofferdam inspect hungry | grep "watchdog fired" >/dev/null; }
has_been_fed_up() { [ "$(cofferdam logs "$2" 2>/dev/null | grep -c "nobody feeds it")" -ge "$1" ]; }

test_a_debian_bios() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo "needs --long" >"$T/skip"; exit 77; }
    need mmdebstrap
    need_disks
    debian_disk
    its_life debian "$DEBIAN" bios 180 512M
}

test_a_debian_uefi() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo "needs --long" >"$T/skip"; exit 77; }
    need mmdebstrap
    need_disks
    [ -r /usr/share/OVMF/OVMF_CODE_4M.fd ] || { echo "needs ovmf" >"$T/skip"; exit 77; }
    debian_disk
    its_life debian-uefi "$DEBIAN" uefi 240 512M
}

test_zy_the_daemon_goes() { daemon_goes; }

run_tests "$@"
