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
    need sfdisk mke2fs mformat mcopy grub-mkimage busybox python3
    for folder in i386-pc x86_64-efi; do
        [ -d "/usr/lib/grub/$folder" ] || { echo "needs GRUB for $folder" >"$T/skip"; exit 77; }
    done
    need_libvirt
}

# The number as so many bytes, the lowest first, at a place in a file.
poke() { python3 -c 'import sys; f = open(sys.argv[1], "r+b"); f.seek(int(sys.argv[2])); f.write(int(sys.argv[3]).to_bytes(8, "little"))' "$@"; }

# disk_of FILE EXT4 CONSOLE…: what boots /vmlinuz and /initrd.img of that file system.
disk_of() {
    local disk=$1 root=$2 size esp=4096 core=2048 modules=(serial terminal part_gpt ext2 search search_fs_file linux boot)
    shift 2
    size=$(($(stat -c %s "$root") / 512))
    cat >early.cfg <<END
serial --speed=115200
terminal_input serial
terminal_output serial
search --file /vmlinuz --set=root
linux /vmlinuz root=/dev/vda3 rw $*
initrd /initrd.img
boot
END
    grub-mkimage -O i386-pc -o core.img -p / -c early.cfg biosdisk "${modules[@]}"
    grub-mkimage -O x86_64-efi -o efi.img -p / -c early.cfg "${modules[@]}"
    truncate -s $(((esp + 16384 + size + 2048) * 512)) "$disk"
    sfdisk -q "$disk" <<END
label: gpt
start=$core, size=2048, type=21686148-6449-6E6F-744E-656564454649
start=$esp, size=16384, type=uefi
start=$((esp + 16384)), size=$size
END
    # what grub-install does without asking who owns the disk: each part says where the next lies
    cp /usr/lib/grub/i386-pc/boot.img boot.img
    poke boot.img 92 $core
    poke core.img 500 $((core + 1))
    dd if=boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
    dd if=core.img of="$disk" bs=512 seek=$core conv=notrunc status=none
    truncate -s 8M esp.img
    mformat -i esp.img ::
    mmd -i esp.img ::/EFI ::/EFI/BOOT
    mcopy -i esp.img efi.img ::/EFI/BOOT/BOOTX64.EFI
    dd if=esp.img of="$disk" bs=512 seek=$esp conv=notrunc status=none
    dd if="$root" of="$disk" bs=512 seek=$((esp + 16384)) conv=notrunc,sparse status=none
}

# A Linux of busybox that asks who one is, once for the run.
small_disk() {
    local package kernel name
    [ ! -e "$RUN/small.disk" ] || return 0
    package=$(kernel_package) || { echo "needs the package linux-image-cloud-amd64" >"$T/skip"; exit 77; }
    dpkg-deb -x "$package" kernel
    mkdir -p first/{bin,proc,dev,modules,root} root/{bin,etc,proc,sys,dev,root,tmp}
    for name in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk; do
        kernel=$(find kernel/lib/modules -name "$name.ko" | head -n 1)
        [ -z "$kernel" ] || { cp "$kernel" first/modules && echo "$name" >>first/order; }
    done
    cat >first/init <<'END'
#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
while read -r name; do busybox insmod "/modules/$name.ko"; done </order
busybox mount -t ext4 /dev/vda3 /root
busybox mount --move /dev /root/dev
exec busybox switch_root /root /bin/busybox init
END
    chmod 0755 first/init
    for folder in first root; do cp "$(command -v busybox)" $folder/bin/busybox; done
    for name in $(busybox --list); do [ "$name" = busybox ] || ln -s busybox "root/bin/$name"; done
    echo "root:$(busybox mkpasswd -m sha512 -S abcdefgh swordfish):0:0::/root:/bin/sh" >root/etc/passwd
    echo 'root:x:0:' >root/etc/group
    echo small >root/etc/hostname
    cat >root/etc/inittab <<'END'
::sysinit:/bin/mount -t proc proc /proc
::sysinit:/bin/mount -t sysfs sys /sys
::sysinit:/bin/hostname small
ttyS0::respawn:/bin/getty -L 115200 ttyS0 vt100
END
    (cd first && find . | busybox cpio -o -H newc -R 0:0 2>/dev/null) >root/initrd.img
    cp kernel/boot/vmlinuz-* root/vmlinuz
    truncate -s 48M ext4
    mke2fs -q -F -t ext4 -E root_owner=0:0 -d root ext4
    disk_of "$RUN/small.disk" ext4 console=ttyS0 quiet panic=-1
    rm -rf kernel first root ext4
}

# A Debian with systemd, once for the build, or for the run where the build is not ours to write in.
debian_disk() {
    local suite cache=$BUILD_DIR/guest mode=(--mode=root) as=()
    [ -w "$BUILD_DIR" ] || cache=$RUN
    mkdir -p "$cache"
    DEBIAN=$cache/debian.disk
    [ ! -e "$DEBIAN" ] || return 0
    # shellcheck disable=SC1091
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    if [ "$(id -u)" != 0 ]; then
        need fakeroot fakechroot
        mode=(--mode=fakechroot) as=(fakeroot)
    fi
    mmdebstrap --quiet --variant=minbase "${mode[@]}" --include=systemd-sysv,linux-image-cloud-amd64,login,passwd,udev \
        --customize-hook='echo root:swordfish | chroot "$1" chpasswd; echo debian >"$1/etc/hostname"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$suite" given.tar >"$T/mmdebstrap.log" 2>&1 || { tail -n 1 "$T/mmdebstrap.log" >"$T/skip"; exit 77; }
    "${as[@]}" bash -c 'mkdir given && tar -C given -xf given.tar && truncate -s 900M ext4 && mke2fs -q -F -t ext4 -d given ext4'
    disk_of "$DEBIAN.new" ext4 console=ttyS0 systemd.mask=systemd-networkd-wait-online.service
    mv "$DEBIAN.new" "$DEBIAN"
    rm -rf given given.tar ext4
}

# log_in NAME SECONDS: at its serial line, as a person does.
log_in() {
    await "$2" says "$1" "login:"
    type_to "$1" $'root\n'
    await 30 says "$1" "Password:"
    type_to "$1" $'swordfish\n'
}
# shell NAME SECONDS COMMAND WORD: what is typed does not hold the word, what answers does.
shell() {
    type_to "$1" "$3"$'\n'
    (await "$2" says "$1" "$4") || { cofferdam logs "$1" | tail -n 12; exit 1; }
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
gone() { [ -z "$(cofferdam ps -q --filter "name=$1")" ]; }

# A minute each: BIOS through the session's daemon and UEFI through the system's, with --long both through both.
its_turn() { [ -n "${COFFERDAM_LONG:-}" ] || [ "$COFFERDAM_TEST_AS" = "$1" ] || { echo "is for $1, or --long" >"$T/skip"; exit 77; }; }

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
