# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034 # what is quoted is for the shell inside; who sources this uses the names
# What the scripts about whole machines share, whoever runs them: disks to boot, and a person at a serial line.

# its_turn user|root: what takes long is run for one of them, with --long for both.
its_turn() { [ -n "${COFFERDAM_LONG:-}" ] || [ "$COFFERDAM_TEST_AS" = "$1" ] || { echo "is for $1, or --long" >"$T/skip"; exit 77; }; }

# need_disk_tools: what makes disks of the two below.
need_disk_tools() {
    need sfdisk mke2fs mformat mcopy grub-mkimage busybox python3
    for folder in i386-pc x86_64-efi; do
        [ -d "/usr/lib/grub/$folder" ] || { echo "needs GRUB for $folder" >"$T/skip"; exit 77; }
    done
}

pauses() { cofferdam pause "$1" 2>/dev/null; }
says() { cofferdam logs "$1" 2>/dev/null | tr -d '\r\n' | grep -qF -e "$2"; }
field() { cofferdam inspect --json "$1" | sed -n "s/.*\"$2\": *\"\\{0,1\\}\\([0-9a-f]*\\).*/\\1/p" | head -n 1; }

# sector HEX: a boot sector of that code.
sector() {
    local i bytes="" code=$1
    for ((i = 0; i < ${#code}; i += 2)); do bytes+="\\x${code:i:2}"; done
    { printf '%b' "$bytes"; head -c 510 /dev/zero; } | head -c 510
    printf '\x55\xaa'
}
boot_sector() {
    sector fa31c08ed88ed0bc007cea0f7c0000be597cac84c07405e83000ebf6bafd03eca80174f8baf803ec3c7174153c6e7405e81700ebe7fe066f7ca06f7ce80b00ebdbba0406b80020efebd250bafd03eca82074fb58baf803eec3626f6f7420736563746f7220697320686572650d0a0030
}

# type_to NAME TEXT: at its console, once there is something to be seen; who is at it leaves as a person does, and
# not by an end of file, which a shell obeys.
type_to() {
    local keys
    rm -f keys typed
    mkfifo keys
    exec {keys}<>keys
    script -qfec "'$COFFERDAM' attach '$1'" /dev/null <&$keys >typed 2>&1 &
    await 15 test -s typed
    printf '%s\035d' "$2" >&$keys
    await 15 gone_pid $!
    exec {keys}>&-
}
gone_pid() { ! kill -0 "$1" 2>/dev/null; }

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

# The package of qemu-guest-agent, fetched once for the build: installed it would serve this machine's own host.
agent_package() {
    local package cache=$BUILD_DIR/guest
    package=$(find "$cache" -maxdepth 1 -name 'qemu-guest-agent_*.deb' 2>/dev/null | head -n 1)
    if [ -z "$package" ]; then
        apt-get download -q qemu-guest-agent >apt.log 2>&1 || return 1
        package=$(echo "$PWD"/qemu-guest-agent_*.deb)
        mkdir -p "$cache" 2>/dev/null && cp "$package" "$cache" 2>/dev/null || :
    fi
    echo "$package"
}

# A Linux of busybox that asks who one is, once for the run.
small_disk() {
    local package kernel name agent
    [ ! -e "$RUN/small.disk" ] || return 0
    package=$(kernel_package) || { echo "needs the package linux-image-cloud-amd64" >"$T/skip"; exit 77; }
    dpkg-deb -x "$package" kernel
    mkdir -p first/{bin,proc,dev,modules,root} root/{bin,etc,proc,sys,dev,root,tmp}
    for name in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk virtio_console \
        isofs cdrom sr_mod virtio_balloon tpm tpm_crb; do
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
::respawn:/bin/its-agent
END
    if agent=$(agent_package); then
        dpkg-deb -x "$agent" agent
        mkdir -p root/usr/sbin
        cp agent/usr/sbin/qemu-ga root/usr/sbin/qemu-ga
        for name in $(ldd agent/usr/sbin/qemu-ga | grep -o '/[^ ]*'); do
            mkdir -p "root$(dirname "$name")" && cp -L "$name" "root$name"
        done
        touch "$RUN/small.agent"
    fi
    cat >root/bin/its-agent <<'END'
#!/bin/sh
for port in /sys/class/virtio-ports/*/name; do
    [ "$(cat "$port")" = org.qemu.guest_agent.0 ] || continue
    port=${port%/name}
    mkdir -p /var/run
    exec /usr/sbin/qemu-ga -p "/dev/${port##*/}" -t /var/run
done
sleep 600
END
    chmod 0755 root/bin/its-agent
    (cd first && find . | busybox cpio -o -H newc -R 0:0 2>/dev/null) >root/initrd.img
    cp kernel/boot/vmlinuz-* root/vmlinuz
    truncate -s 48M ext4
    mke2fs -q -F -t ext4 -E root_owner=0:0 -d root ext4
    disk_of "$RUN/small.disk" ext4 console=ttyS0 quiet panic=-1
    rm -rf kernel first root ext4 agent
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
