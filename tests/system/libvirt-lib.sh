# shellcheck shell=bash
# What the scripts about libvirt share: a libvirtd of the run's own.

# shellcheck source=tests/system/whole.sh
. "$(dirname "${BASH_SOURCE[0]}")/whole.sh"
export LIBVIRT_AUTOSTART=0 # the daemon is the test's own

# A libvirtd with folders of its own, once for the run; root's in a mount namespace of its own.
need_libvirt() {
    need libvirtd virsh qemu-system-x86_64 qemu-img script
    [ "$(uname -m)" = x86_64 ] || { echo "needs an x86_64 machine" >"$T/skip"; exit 77; }
    [ -x "$(dirname "$COFFERDAM")/cofferdam-domain" ] || { echo "needs a build with libvirt" >"$T/skip"; exit 77; }
    start_libvirtd
    [ -e "$RUN/disk" ] || boot_sector >"$RUN/disk"
}

# What is no Linux boots at the daemon of that URI, speaks and hears, and its disk stays as it was.
boots_at() { # URI
    local sum
    sum=$(sha256sum <"$RUN/disk")
    printf 'nnnq' >keys
    STATUS=0
    timeout 60 "$COFFERDAM" run --boundary vm --accel tcg --set "machine.uri=$1" --set machine.type=pc --memory 32M \
        --set console.terminal=no --image "disk:$RUN/disk" <keys >out 2>err || STATUS=$?
    cp out err "$T" 2>/dev/null || :
    expect_equal "$STATUS" 0 status
    grep -q "boot sector is here" out || { cat out err; fail "it has not spoken"; }
    grep -q 123 out || { cat out; fail "it has not heard"; }
    expect_equal "$(sha256sum <"$RUN/disk")" "$sum" "the disk"
}

# root_libvirtd FOLDER CONF [ARGUMENT…]: one in a mount namespace of its own. CONF says what stands in its qemu.conf.
root_libvirtd() {
    setsid unshare -m --propagation private bash -c '
        B=$1 C=$2
        shift 2
        mkdir -p "$B"/{etc,run,lib,cache,log} /run/libvirt /var/{lib,cache,log}/libvirt
        [ ! -d /etc/libvirt ] || cp -a /etc/libvirt/. "$B/etc/"
        mkdir -p /etc/libvirt
        printf "%s" "$C" >"$B/etc/qemu.conf"
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
        [ -n "$C" ] || virtlogd -d -p "$B/logpid" # by default it keeps what QEMU says
        unset TMPDIR # which is ours alone
        exec libvirtd -p "$B/pid" "$@"' bash "$@" >"$RUN/t/libvirtd.log" 2>&1 </dev/null &
}

# As Debian ships it: machines are the account libvirt-qemu's. URI is its then.
start_default_libvirtd() {
    need root virtlogd
    LV=$RUN/lvd
    URI="qemu+unix:///system?socket=$LV/run/libvirt-sock"
    chmod 0711 "$RUN/state" # as /var/lib is
    root_libvirtd "$LV" ""
    await 20 test -S "$LV/run/libvirt-sock"
    await 60 virsh -c "$URI" list >/dev/null 2>&1
}
stop_default_libvirtd() {
    kill "$(cat "$LV/pid")" "$(cat "$LV/logpid")"
    await 10 daemons_end "$(cat "$LV/pid")" "$(cat "$LV/logpid")"
    chmod 0700 "$RUN/state"
    rm -rf "$LV" "$RUN/state/cofferdam-libvirt"
}
daemons_end() { ! kill -0 "$@" 2>/dev/null; }

# Where root's machines are root, and nothing of the host's is asked.
plain_qemu_conf() {
    printf '%s\n' 'user = "root"' 'group = "root"' 'dynamic_ownership = 0' 'remember_owner = 0' \
        'security_driver = "none"' 'cgroup_controllers = [ ]' 'namespaces = [ ]' 'stdio_handler = "file"'
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
        root_libvirtd "$RUN/lv" "$(plain_qemu_conf)"
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

# between SOCKET TO PROCEDURE…: what leads to that libvirtd and holds back, while the file "hold" is there, its answers
# to these procedures (of libvirt's remote_protocol.x; none: to all); events come through. Its pid in BETWEEN.
between() {
    python3 -c 'import os, select, socket, struct, sys
at, to, held = sys.argv[1], sys.argv[2], [int(p) for p in sys.argv[3:]]
s = socket.socket(socket.AF_UNIX)
s.bind(at + ".new")
s.listen(100)
os.rename(at + ".new", at)
ways, waiting = {}, {}
def end(a):
    for one in (a, ways[a]):
        del ways[one]
        waiting.pop(one, None)
        one.close()
def answers(b):
    size, program, version, procedure, kind = struct.unpack(">5I", b[:20])
    return program == 0x20008086 and kind == 1 and (not held or procedure in held)
while True:
    for a in select.select([s] + list(ways), [], [], 0.1)[0]:
        if a is s:
            client, server = s.accept()[0], socket.socket(socket.AF_UNIX)
            server.connect(to)
            ways[client], ways[server], waiting[server] = server, client, b""
        elif a in ways:
            piece = a.recv(65536)
            if not piece:
                end(a)
            elif a in waiting:
                waiting[a] += piece
            else:
                ways[a].sendall(piece)
    for a in list(waiting):
        rest, kept = waiting[a], b""
        while len(rest) >= 4 and len(rest) >= struct.unpack(">I", rest[:4])[0]:
            size = struct.unpack(">I", rest[:4])[0]
            if os.path.exists("hold") and answers(rest):
                kept += rest[:size]
            else:
                ways[a].sendall(rest[:size])
            rest = rest[size:]
        waiting[a] = kept + rest' "$@" &
    # shellcheck disable=SC2034 # for whoever calls
    BETWEEN=$!
    await 10 test -S "$1"
}

# The libvirtd of the test, by way of somebody who can hold its answers back.
through() { # PROCEDURE…
    local kind=session
    ! have root || kind=system
    between "$PWD/through" "$SOCKET" "$@"
    export LIBVIRT_DEFAULT_URI="qemu+unix:///$kind?socket=$PWD/through"
}

# posing NAME [COMMAND…]: a process that says to be that machine's, its pid among POSING; COMMAND: as whom.
POSING=()
posing() {
    "${@:2}" sh -c 'kill -STOP $$' posing -uuid "c0ffe4da-0000-4000-8000-$(field "$1" id)" &
    POSING+=($!)
    trap 'kill -9 "${POSING[@]}"' EXIT
    await 5 stands_still $!
}
stands_still() { grep -q "^State:.T" "/proc/$1/status"; }
# Who is to clear up takes none of them for the machine's process, which is ended.
only_the_machine_ends() { # NAME
    local pid keeper
    pid=$(field "$1" pid)
    tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qx "c0ffe4da-0000-4000-8000-$(field "$1" id)" || fail "another's pid: $pid"
    keeper=$(pgrep -P "$(field "$1" monitor_pid)" -f 'cofferdam-domain drive')
    kill -9 "$(pgrep -P "$keeper")"
    await 15 all_gone
    await 5 gone_pid "$pid"
    for pid in "${POSING[@]}"; do stands_still "$pid" || fail "$pid was ended, which only said its UUID"; done
}

# An sshd for whoever runs the test, with keys of its own, in the folder one is in; over_ssh is the way
# through it to the libvirtd of the test.
start_sshd() {
    need sshd ssh ssh-keygen nc
    SSH_PORT=$(free_port)
    ssh-keygen -q -t ed25519 -N '' -f host
    ssh-keygen -q -t ed25519 -N '' -f key
    cp key.pub allowed
    chmod 0600 host key
    cat >sshd_config <<END
Port $SSH_PORT
ListenAddress 127.0.0.1
HostKey $PWD/host
PidFile $PWD/sshd.pid
AuthorizedKeysFile $PWD/allowed
PasswordAuthentication no
UsePAM no
StrictModes no
END
    # not in anybody's own list of hosts
    printf '#!/bin/sh\nexec ssh -o UserKnownHostsFile="%s/known" "$@"\n' "$PWD" >ssh
    chmod 0755 ssh
    run_sshd
}
run_sshd() {
    local sshd
    sshd=$(command -v sshd)
    rm -f sshd.pid
    if have root; then # its folder below /run is in a mount namespace of its own
        unshare -m --propagation private bash -c '
            [ -d /run/sshd ] || { mount -t tmpfs none /run && mkdir -m 0755 /run/sshd; }
            exec "$1" -f sshd_config -E sshd.log' bash "$sshd"
    else
        "$sshd" -r -f sshd_config -E sshd.log # who it would start anew expects to be root's
    fi
    await 10 test -s sshd.pid
}
stop_sshd() {
    local pid
    pid=$(cat sshd.pid) || return 0
    pgrep -P "$pid" | xargs -r kill || : # those who are in
    kill "$pid"
}
over_ssh() {
    local kind=session
    ! have root || kind=system
    echo "qemu+ssh://$(id -un)@127.0.0.1:$SSH_PORT/$kind?command=$PWD/ssh&keyfile=$PWD/key&no_verify=1&proxy=netcat&socket=$SOCKET"
}

# A CD that boots (El Torito, no emulation): asked with "i" at its serial line it writes the boot sector
# of above to the first disk, by the BIOS, and restarts the machine.
boot_cd() {
    {
        sector fa31c08ed88ec08ed0bc007cea117c0000fbbe787ce83600bafd03eca80174f8baf803ec3c6975f0b80043b280be687ccd137212be957ce81400baf90cb002eeb006eef4ebfdbea17ce80200ebcaac84c0741288c3bafd03eca82074f8baf80388d8eeebe9c3669010000100007e0000000000000000000074686520434420697320686572652c206920696e7374616c6c730d0a00696e7374616c6c65640d0a006e6f206469736b0d0a00
        boot_sector
    } >boot.image
    el_torito 0 4 boot.image
}

# el_torito PLATFORM SECTORS FILE: a CD of that platform (0 BIOS, 0xef UEFI) that boots what is in the file.
el_torito() {
    python3 - "$@" <<'END'
import struct, sys
image = open(sys.argv[3], "rb").read()
cd = bytearray(2048 * 24 + len(image))
def put(sector, data): cd[sector * 2048:sector * 2048 + len(data)] = data
put(16, b"\x01CD001\x01")
put(17, b"\x00CD001\x01EL TORITO SPECIFICATION".ljust(71, b"\0") + struct.pack("<I", 19))
put(18, b"\xffCD001\x01")
check = bytearray(struct.pack("<BBH24sHBB", 1, int(sys.argv[1], 0), 0, b"", 0, 0x55, 0xaa))
struct.pack_into("<H", check, 28, -sum(struct.unpack("<16H", check)) & 0xffff)
put(19, check + struct.pack("<BBHBBHI", 0x88, 0, 0, 0, 0, int(sys.argv[2]), 20))
put(20, image)
sys.stdout.buffer.write(cd)
END
}

vm() {
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.type=pc --memory 32M \
        --image "disk:$RUN/disk" "$@"
}

# echoing NAME: a domain as another program makes it, that echoes its serial line.
echoing() {
    cp "$RUN/disk" "$1.img"
    virsh -c "$URI" define /dev/stdin <<XML >/dev/null
<domain type='qemu'><name>$1</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$PWD/$1.img'/><target dev='hda' bus='ide'/></disk>
<serial type='pty'/></devices></domain>
XML
}
# at FILE WORD [ATTACH…]: an attach of its own, held open; its pid in FILE.pid, what it shows in FILE.
at() {
    rm -f "$1.keys"
    mkfifo "$1.keys"
    script -qfec "'$COFFERDAM' attach $2" /dev/null <"$1.keys" >"$1" 2>&1 &
    echo $! >"$1.pid"
}
shows() { tr -d '\r\n' <"$1" | grep -qF -e "$2"; }
watched() { cofferdam ps 2>/dev/null | grep -c 'console-theirs' | grep -q "^$1\$"; }

answers() { printf '%s' "$3" >&"$1"; shows "$2" "$4"; }

domains() { virsh -c "$URI" list --all --name | grep . || :; }
no_domains() { [ -z "$(domains)" ]; }
no_machines() { [ -z "$(find "$XDG_STATE_HOME/cofferdam/machines" -mindepth 1 2>/dev/null)" ]; }
all_gone() { no_domains && no_machines && [ -z "$(cofferdam ps -a -q)" ]; }

# Its folders are the run's; nothing of it is ours.
daemon_goes() {
    [ ! -e "$RUN/libvirtd.pid" ] || { URI=none && stop_libvirtd; }
    rm -rf "$RUN/run/libvirt" "$RUN/lv"
}
