# shellcheck shell=bash
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# What the scripts about machines share: a kernel from its package, an image that it boots.

# shellcheck source=tests/system/kernel.sh
. "$(dirname "${BASH_SOURCE[0]}")/kernel.sh"

# need_machine_of RUNTIME: the program, what it needs of this machine, a kernel and an image. COFFERDAM_VMLINUX is a
# kernel with all drivers built in, to be taken instead of Debian's.
need_machine_of() {
    case $1 in
    qemu) need_machine ;;
    qemu-generic) need_kernel '' && need_machine ;;
    *)
        [ -x "/usr/bin/$1" ] || [ -x "/usr/local/bin/$1" ] || { # where it is looked for (facts.c)
            echo "needs $1 in /usr/bin or /usr/local/bin" >"$T/skip"
            exit 77
        }
        "$BUILD_DIR/tests/tools/kvm-works" 2>/dev/null || { echo "needs a usable /dev/kvm" >"$T/skip"; exit 77; }
        need_machine "$1"
        ;;
    esac
}

# our_machines: the command lines of QEMUs below the process that attends this run: others may run here.
our_machines() {
    ps -eo pid=,ppid=,args= | awk -v root="$(ps -o ppid= -p $$)" '
        { parent[$1] = $2; args[$1] = $0 }
        END {
            for (p in args) {
                if (args[p] !~ /qemu-system-x86_64 -name cofferdam-/) continue
                for (at = p; at in parent && at != root + 0; at = parent[at]);
                if (at == root + 0) print args[p]
            }
        }'
}
# The program that runs the machine of this workload.
qemu_of() {
    local pid
    for pid in $(pgrep -f "^[^ ]*qemu-system-x86_64 -name cofferdam-$1 "); do echo "$pid"; done | head -n 1
}
# prove_jail PID ROOT: what QEMU is allowed, seen from outside; ROOT is all that it sees.
prove_jail() {
    local ns
    if [ "$(id -u)" = 0 ]; then
        expect_equal "$(stat -c %u "/proc/$1")" "$(awk '/^Uid:/ { print $2 }' "/proc/$1/status")" owner
        [ "$(awk '/^Uid:/ { print $2 }' "/proc/$1/status")" != 0 ] || fail "it is root"
        expect_equal "$(ls "/proc/$1/root" | tr '\n' ' ')" "$2" "its root"
        for ns in user mnt pid net ipc uts cgroup; do
            [ "$(readlink "/proc/$1/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ] || fail "the host's $ns namespace"
        done
        expect_equal "$(grep -c ' rw' "/proc/$1/mounts" || :)" 0 "writable mounts"
    fi
    expect_equal "$(awk '/^CapEff:/ { print $2 }' "/proc/$1/status")" 0000000000000000 CapEff
    expect_equal "$(awk '/^CapBnd:/ { print $2 }' "/proc/$1/status")" 0000000000000000 CapBnd
    expect_equal "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$1/status")" 1 NoNewPrivs
    expect_equal "$(awk '/^Seccomp:/ { print $2 }' "/proc/$1/status")" 2 Seccomp
    # translated code fills no huge page
    ! grep -q 'tcg,' "/proc/$1/cmdline" ||
        expect_equal "$(awk '/^THP_enabled:/ { print $2 }' "/proc/$1/status")" 0 THP_enabled
}
nothing_runs() { [ -z "$(our_machines)" ]; }

# need_kernel KIND [PROGRAM…]: what a machine boots is in the store, once for the run.
need_kernel() {
    local package kind=$1
    shift
    need userns tar2sqfs apt-get busybox "${@:-qemu-system-x86_64}"
    [ "$(uname -m)" = x86_64 ] || { echo "needs an x86_64 machine" >"$T/skip"; exit 77; }
    [ ! -e "$RUN/kernel-$kind" ] || return 0
    package=${COFFERDAM_VMLINUX:-}
    [ -n "$package" ] || package=$(kernel_package "$kind") || { echo "needs the package linux-image-${kind}amd64" >"$T/skip"; exit 77; }
    cofferdam image kernel import "$package" >out
    touch "$RUN/kernel-$kind"
}

# need_machine [PROGRAM…]: that, and an image called "small".
need_machine() {
    local tool
    need_kernel cloud- "$@"
    [ ! -e "$RUN/machine" ] || return 0
    mkdir -p root/{bin,etc,root,tmp}
    cp "$(command -v busybox)" root/bin/busybox
    for tool in sh cat cp date dd echo env false head hostname id kill ls mkdir mount od ps rm sleep stty tail test true uname wc yes; do
        ln -s busybox "root/bin/$tool"
    done
    echo 'root:x:0:0::/root:/bin/sh' >root/etc/passwd
    echo 'nobody:x:65534:65534::/:/bin/sh' >>root/etc/passwd
    echo 'root:x:0:' >root/etc/group
    cofferdam image import root small >out
    touch "$RUN/machine"
}

# faked PROGRAM [ARGUMENT…]: a machine on the stand-in.
faked() { cofferdam run --boundary microvm --runtime "$PWD/bin/$1" --image small --memory 192M --cpus 1 "${@:2}"; }

# fake_vmm PROGRAM [KEY=VALUE…]: a stand-in for it of its own at ./bin/PROGRAM, which KVM would serve.
fake_vmm() {
    local setting key program=$1
    shift
    need_machine cat
    mkdir -p bin
    cp "$BUILD_DIR/tests/tools/fake-$program" "bin/$program"
    # the device as it is here, if at all; what it runs is made up anyway
    [ -w /dev/kvm ] || set -- kvm=0 "$@"
    for setting in "$@"; do
        key=${setting%%=*}
        case $key in
        version) sed -i "s/FAKE version=[0-9.]* *;/FAKE version=$(printf %-7s "${setting#*=}");/" "bin/$program" ;;
        mute | kvm | create) sed -i "s/;$key=.;/;$setting;/" "bin/$program" ;;
        *) sed -i "s/;$key=[0-9][0-9];/;$key=$(printf %02d "${setting#*=}");/" "bin/$program" ;;
        esac
    done
    chmod 755 . bin "bin/$program"
    capture faked "$program" -- true # finds out what there is, which is kept
    sed -i '/^no-kvm/d' "$XDG_CACHE_HOME/cofferdam/machine/$program"
}

# ---- snapshots of memory: a script says what `machine ARGUMENT…` and `vmm_of ID` are ------------------

is_ready() { cofferdam logs "$1" | grep -q ready; }

# Two clones of a machine of another kind: what it wrote is there, and each has its own name.
prove_clones_with_files() { # OPTION…
    machine "$@" --detach --name chipped -- sh -c 'echo mine >/root/f; echo ready; exec sleep 600' >id
    await 60 is_ready chipped
    capture cofferdam snapshot create chipped --name of-chipped
    expect_status 0
    capture cofferdam clone of-chipped --number 2
    expect_status 0
    for n in chipped chipped-1 chipped-2; do
        capture cofferdam exec "$n" -- sh -c 'cat /root/f; hostname'
        expect_out "mine
$n"
    done
    cofferdam ps --quiet | xargs "$COFFERDAM" kill >/dev/null
    await 5 nothing_runs
    cofferdam snapshot rm --force of-chipped
}

# What runs goes on in others, each of which is told who it is before anybody hears of it; their
# memory is one file that none of them can write.
prove_clones() { # MODE of a snapshot's files
    local n
    machine --detach --name first -- sh -c 'echo kept >/root/kept; echo ready; exec sleep 600' >ids
    await 30 is_ready first
    capture cofferdam snapshot create first --name mem
    expect_status 0
    expect_out_has "files and memory of first"
    capture cofferdam exec first -- cat /root/kept # it goes on
    expect_out kept
    FILES=$XDG_STATE_HOME/cofferdam/snapshots/$(cofferdam snapshot list --quiet)/files
    expect_equal "$(stat -c %a "$FILES/memory" "$FILES/state" | sort -u)" "$1" mode
    [ "$(stat -c %b "$FILES/memory")" -lt 300000 ] || fail "the holes are filled"
    sha256sum "$FILES"/* >before
    # what it rests on stays, whoever prunes
    cofferdam image prune --cache 2>pruned >out
    grep -q 'disks: 1 kept, which a workload or a snapshot rests on' pruned || { cat pruned; fail "not said"; }
    cofferdam clone mem --number 3 >ids
    for n in 1 2 3; do
        capture cofferdam exec "first-$n" -- sh -c 'hostname; cat /etc/hostname /root/kept; cat /etc/machine-id; head -c 9 /dev/urandom | od -An -tx1; echo $((`date +%s` / 30))'
        expect_equal "$(sed -n 1,3p out | tr '\n' ' ')" "first-$n first-$n kept " "clone $n"
        sed -n 4p out >>machine-ids
        sed -n 5p out >>random
        [ "$(sed -n 6p out)" -ge $(($(date +%s) / 30 - 2)) ] || fail "its clock is the snapshot's"
        cofferdam exec "first-$n" -- sh -c "echo $n >/root/kept; dd if=/dev/zero of=/tmp/x bs=1M count=8 2>/dev/null"
        PID=$(vmm_of "$(cofferdam inspect --json "first-$n" | sed -n 's/^ *"id": "\([0-9a-f]*\)".*/\1/p' | head -n 1)")
        if [ "$(id -u)" = 0 ]; then # nobody has it open for writing
            awk '/\/memory$/ { print $2 }' "/proc/$PID/maps" | sort -u | tr '\n' ' ' >modes
            ! grep -q s modes || fail "shared: $(cat modes)"
            grep -q p modes || fail "not from the file"
        fi
    done
    expect_equal "$(sort -u machine-ids | wc -l)" 3 machine-ids
    expect_equal "$(sort -u random | wc -l)" 3 "random numbers"
    capture cofferdam exec first -- cat /root/kept
    expect_out kept
    sha256sum -c --quiet before || fail "the snapshot was written to"
    # one of a clone, and the same brought back
    capture cofferdam snapshot create first-2 --name again
    expect_status 0
    cofferdam kill first-1 first-2 first-3 first
    cofferdam snapshot restore again >out
    capture cofferdam exec first-2 -- sh -c 'hostname; cat /root/kept'
    expect_equal "$(tr '\n' ' ' <out)" "first-2 2 " restored
    capture cofferdam clone again --name other -- true
    expect_status 125
    expect_err_has "no other command"
    cofferdam kill first-2
    cofferdam snapshot rm --force --recursive mem again
    expect_equal "$(find "$XDG_STATE_HOME/cofferdam/snapshots" -name memory)" "" "what is left"
}

# its_release: of the kernel a machine boots here.
its_release() {
    cofferdam plan --json --boundary microvm --runtime "${REAL:-qemu}" --image small -- true |
        sed -n 's/^ *"release": "\([^"]*\)".*/\1/p' | head -n 1
}

# Its card's frames come to this host and back: the gateway is known, who translates has answered.
prove_card() {
    need slirp4netns
    [ -w /dev/net/tun ] || { echo "needs a /dev/net/tun that can be opened" >"$T/skip"; exit 77; }
    machine --network private --detach --name card -- \
        sh -c 'for at in "10.0.2.2 9" "10.0.2.3 53"; do busybox nc -w 2 $at </dev/null; done; cat /proc/net/arp; echo ready; exec sleep 600' >ids
    await 30 is_ready card
    capture cofferdam logs card
    expect_out_has 52:55:0a:00:02:02
    capture cofferdam stats --json card
    expect_status 0
    json 'min(d["stats"][0][k] for k in ("network_in", "network_out")) > 0' <out | grep -q True || { cat out; fail "nothing came through"; }
    cofferdam kill card
}

# Further disks are there in order; whatever the guest tries, the host's files stay as they were. ARGUMENT… are of
# machine(); defines further() and held().
prove_further_disks() { # [ARGUMENT…]
    local before
    head -c 1M /dev/urandom >"$T/one.img"
    { echo "the second"; head -c 65525 /dev/zero; } >"$T/two,readonly=off.img"
    chmod 600 "$T"/*.img
    held() { sha256sum "$T"/*.img; stat -c '%a %s %y' "$T"/*.img; }
    before=$(held)
    FURTHER=("$@" --set "machine.disk=$T/one.img $T/two,readonly=off.img")
    further() { machine "${FURTHER[@]}" "$@"; }
    further -- cat /dev/disk1 >one.read
    cmp one.read "$T/one.img" || fail "the first disk reads otherwise"
    capture further --user 1000 --set machine.scratch=disk --set resources.disk=64M -- head -n 1 /dev/disk2
    expect_status 0
    expect_out "the second"
    capture further -- sh -c 'chmod 666 /dev/disk1; for d in 1 2; do
        dd if=/dev/zero of=/dev/disk$d bs=4096 count=1 conv=notrunc,fsync 2>/dev/null && echo "$d was written to"; done
        [ ! -e /dev/disk3 ] || echo another; head -n 1 /dev/disk2'
    expect_out "the second"
    expect_equal "$(held)" "$before" "the host's files"
}

# More than its memory holds.
prove_scratch() {
    [ -x /usr/sbin/mke2fs ] || need mke2fs
    capture machine --set machine.scratch=disk --set resources.disk=300M -- sh -c \
        'dd if=/dev/zero of=/root/x bs=1M count=210 2>/dev/null && echo it fits; dd if=/dev/zero of=/root/y bs=1M count=200 2>/dev/null || echo no further'
    expect_status 0
    expect_out "it fits
no further"
}

# It is kept from KVM, or is not: what it sees of the processor is what KVM lets it use. MAY: what there is to hand on.
prove_nested() { # MAY
    capture machine -- cat /proc/cpuinfo
    expect_status 0
    expect_equal "$(grep -cwE 'svm|vmx' out)" 0 "of a machine that may not"
    capture machine --set machine.nested=yes -- cat /proc/cpuinfo
    expect_status 0
    expect_equal "$(grep -cwE 'svm|vmx' out)" "$1" "of one that may"
}

# Its kernel has printed nothing: there is no such phase of its start.
was_booted() { cofferdam inspect "$1" | grep -q '^ *console  *[0-9.]* ms'; }
was_not_booted() { ! was_booted "$1" || fail "it was booted"; }

# The first start makes the template, before the guest has heard a word of what it is for.
prove_warm() { # MODE of its file
    local n
    WARM=$XDG_CACHE_HOME/cofferdam/templates
    warm() { machine --set machine.warm=yes "$@"; }
    capture warm --env SECRET=hoppla-kasperl -- sh -c 'hostname >/root/x; cat /etc/machine-id; echo $SECRET; head -c 9 /dev/urandom | od -An -tx1'
    expect_status 0
    sed -n 1p out >ids
    sed -n 3p out >random
    MEMORY=$(find "$WARM" -name memory)
    [ -s "$MEMORY" ] || fail "no template"
    ! grep -qa hoppla-kasperl "$MEMORY" || fail "a secret is in the template"
    expect_equal "$(stat -c %a "$MEMORY")" "$1" mode
    sha256sum "$MEMORY" >before
    for n in 1 2; do
        capture warm --name "warm-$n" -- sh -c 'cat /etc/machine-id; hostname; head -c 9 /dev/urandom | od -An -tx1; test -e /root/x; echo $?; exit 5'
        expect_status 5
        expect_equal "$(sed -n 2p out) $(sed -n 4p out)" "warm-$n 1" "who it is"
        sed -n 1p out >>ids
        sed -n 3p out >>random
    done
    expect_equal "$(sort -u ids | wc -l) $(sort -u random | wc -l)" "3 3" "machine-ids and random numbers"
    sha256sum -c --quiet before || fail "the template was written to"
    ID=$(warm --detach -- sleep 600)
    was_not_booted "$ID"
    cofferdam kill "$ID"
}
