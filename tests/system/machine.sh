# shellcheck shell=bash
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
