# shellcheck shell=bash
# What the scripts about whole machines share: a libvirtd of the run's own, and disks to boot.
export LIBVIRT_AUTOSTART=0 # the daemon is the test's own

# A libvirtd with folders of its own, once for the run; root's in a mount namespace of its own.
need_libvirt() {
    need libvirtd virsh qemu-system-x86_64 qemu-img
    [ "$(uname -m)" = x86_64 ] || { echo "needs an x86_64 machine" >"$T/skip"; exit 77; }
    [ -x "$(dirname "$COFFERDAM")/cofferdam-domain" ] || { echo "needs a build with libvirt" >"$T/skip"; exit 77; }
    start_libvirtd
    [ -e "$RUN/disk" ] || boot_sector >"$RUN/disk"
}

start_libvirtd() {
    if [ "$(id -u)" = 0 ]; then
        URI="qemu+unix:///system?socket=$RUN/lv/run/libvirt-sock"
        SOCKET=$RUN/lv/run/libvirt-sock
    else
        URI=qemu:///session
        SOCKET=$RUN/run/libvirt/libvirt-sock
    fi
    [ ! -e "$RUN/libvirtd.pid" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        setsid unshare -m --propagation private bash -c '
            B=$1/lv
            mkdir -p "$B"/{etc,run,lib,cache,log} /run/libvirt /var/{lib,cache,log}/libvirt
            [ ! -d /etc/libvirt ] || cp -a /etc/libvirt/. "$B/etc/"
            mkdir -p /etc/libvirt
            printf "%s\n" "user = \"root\"" "group = \"root\"" "dynamic_ownership = 0" "remember_owner = 0" \
                "security_driver = \"none\"" "cgroup_controllers = [ ]" "namespaces = [ ]" \
                "stdio_handler = \"file\"" >"$B/etc/qemu.conf"
            for d in etc:/etc/libvirt run:/run/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt log:/var/log/libvirt; do
                mount --bind "$B/${d%%:*}" "${d#*:}"
            done
            # Debian makes this account with its units, and its libvirtd does not begin without it
            for f in passwd group; do
                cp "/etc/$f" "$B/$f"
                mount --bind "$B/$f" "/etc/$f"
            done
            grep -q ^libvirt-qemu: /etc/passwd || echo "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin" >>/etc/passwd
            for g in libvirt-qemu kvm; do
                grep -q "^$g:" /etc/group || echo "$g:x:6405${#g}:" >>/etc/group
            done
            exec libvirtd -p "$B/pid"' bash "$RUN" >"$RUN/t/libvirtd.log" 2>&1 </dev/null &
    else
        mkdir -p "$XDG_CONFIG_HOME/libvirt"
        echo 'stdio_handler = "file"' >"$XDG_CONFIG_HOME/libvirt/qemu.conf"
        setsid libvirtd >"$RUN/t/libvirtd.log" 2>&1 </dev/null &
    fi
    echo $! >"$RUN/libvirtd.pid"
    await 20 test -S "$SOCKET"
    await 60 virsh -c "$URI" list >/dev/null 2>&1
}

# shellcheck disable=SC2120
stop_libvirtd() {
    kill "$@" "$(cat "$RUN/libvirtd.pid")" 2>/dev/null || :
    rm -f "$RUN/libvirtd.pid"
}

boot_sector() {
    local code=fa31c08ed88ed0bc007cea0f7c0000be597cac84c07405e83000ebf6bafd03eca80174f8baf803ec3c7174153c6e7405e81700ebe7fe066f7ca06f7ce80b00ebdbba0406b80020efebd250bafd03eca82074fb58baf803eec3626f6f7420736563746f7220697320686572650d0a0030
    local i bytes=
    for ((i = 0; i < ${#code}; i += 2)); do bytes+="\\x${code:i:2}"; done
    { printf '%b' "$bytes"; head -c 510 /dev/zero; } | head -c 510
    printf '\x55\xaa'
}

vm() {
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.type=pc --memory 32M \
        --image "disk:$RUN/disk" "$@"
}

# type_to NAME TEXT: at its console; who is at it leaves without an end of file, which a shell obeys.
type_to() {
    rm -f keys
    mkfifo keys
    exec {keys}<>keys
    printf '%s' "$2" >&$keys
    { timeout -s KILL 1 "$COFFERDAM" attach "$1" <&$keys >/dev/null; } 2>/dev/null || :
    exec {keys}>&-
}
pauses() { cofferdam pause "$1" 2>/dev/null; }
says() { cofferdam logs "$1" 2>/dev/null | tr -d '\r\n' | grep -qF -e "$2"; }
field() { cofferdam inspect --json "$1" | sed -n "s/.*\"$2\": *\"\\{0,1\\}\\([0-9a-f]*\\).*/\\1/p" | head -n 1; }
domains() { virsh -c "$URI" list --all --name | grep . || :; }
no_domains() { [ -z "$(domains)" ]; }
no_machines() { [ -z "$(find "$XDG_STATE_HOME/cofferdam/machines" -mindepth 1 2>/dev/null)" ]; }
all_gone() { no_domains && no_machines && [ -z "$(cofferdam ps -a -q)" ]; }

# Its folders are the run's; nothing of it is ours.
daemon_goes() {
    [ ! -e "$RUN/libvirtd.pid" ] || { URI=none && stop_libvirtd; }
    rm -rf "$RUN/run/libvirt" "$RUN/lv"
}
