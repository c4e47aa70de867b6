# shellcheck shell=bash
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# What the scripts about machines share: a kernel from its package, an image that it boots.

# kernel_package [KIND]: the package of Debian's kernel for clouds, or of another kind ("" is the one
# for everything), fetched once for the build.
kernel_package() {
    local kind=${1-cloud-} package cache=$BUILD_DIR/guest
    package=$(find "$cache" -maxdepth 1 -name "linux-image-[0-9.-]*-${kind}amd64_*.deb" 2>/dev/null | head -n 1)
    if [ -z "$package" ]; then
        package=$(apt-cache depends "linux-image-${kind}amd64" 2>/dev/null | sed -n 's/^ *Depends: //p' | head -n 1)
        [ -n "$package" ] && apt-get download -q "$package" >apt.log 2>&1 || return 1
        package=$(echo "$PWD/$package"_*.deb)
        mkdir -p "$cache" 2>/dev/null && cp "$package" "$cache" 2>/dev/null || :
    fi
    echo "$package"
}

# need_machine_of RUNTIME: the program, what it needs of this machine, a kernel and an image.
need_machine_of() {
    case $1 in
    qemu) need_machine ;;
    qemu-generic) need_kernel '' && need_machine ;;
    *)
        need "$1"
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
nothing_runs() { [ -z "$(our_machines)" ]; }

# need_kernel KIND [PROGRAM…]: what a machine boots is in the store, once for the run.
need_kernel() {
    local package kind=$1
    shift
    need userns tar2sqfs apt-get busybox "${@:-qemu-system-x86_64}"
    [ "$(uname -m)" = x86_64 ] || { echo "needs an x86_64 machine" >"$T/skip"; exit 77; }
    [ ! -e "$RUN/kernel-$kind" ] || return 0
    package=$(kernel_package "$kind") || { echo "needs the package linux-image-${kind}amd64" >"$T/skip"; exit 77; }
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
    capture cofferdam inspect "$ID"
    expect_out_lacks console # its kernel has printed nothing: it was not booted
    cofferdam kill "$ID"
}
