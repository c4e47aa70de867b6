# shellcheck shell=bash
# What the measurements share: a private ground, the peers, tables. Every peer is measured in the
# same run, in turns; one that is missing or fails here is named, never silently absent.

set -euo pipefail
export LC_ALL=C
SOURCE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD_DIR=${COFFERDAM_BUILD:-$SOURCE_DIR/build}
export COFFERDAM=$BUILD_DIR/cofferdam
T=$(mktemp -d /tmp/cdb.XXXXXX)
# in memory, as a session's is; all else stays on the disk
RUNTIME=$T/run
[ "$(stat -f -c %T /dev/shm)" != tmpfs ] || RUNTIME=$(mktemp -d /dev/shm/cdb.XXXXXX)
CLEANUP=()
clean_up() {
    local i
    for ((i = ${#CLEANUP[@]} - 1; i >= 0; i--)); do eval "${CLEANUP[i]}" || :; done
    rm -rf --one-file-system "$T" "$RUNTIME"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

mkdir -p -m 0700 "$RUNTIME" "$T/state" "$T/data" "$T/cache" "$T/config"
export XDG_RUNTIME_DIR=$RUNTIME XDG_STATE_HOME=$T/state XDG_DATA_HOME=$T/data
export XDG_CACHE_HOME=$T/cache XDG_CONFIG_HOME=$T/config
forget_workloads() { "$COFFERDAM" prune --force >/dev/null 2>&1; }
CLEANUP+=(forget_workloads)

left_out() { echo "left out: $*" >&2; }
has() { command -v "$1" >/dev/null || { left_out "$1: not installed"; return 1; }; }

# What machines boot, in the store.
# shellcheck source=tests/system/kernel.sh
. "$SOURCE_DIR/tests/system/kernel.sh"
import_kernel() {
    local package
    package=$(cd "$T" && kernel_package) || { left_out "no package of Debian's kernel for clouds"; return 1; }
    "$COFFERDAM" image kernel import "$package" >/dev/null
}

# A root file system holding `true`, `sleep` and what they link to, for the OCI runtimes.
make_rootfs() {
    local program file
    mkdir -p "$T/rootfs"/{bin,proc,sys,dev,etc,tmp,lib64}
    for program in true sleep cat; do
        cp "$(type -P "$program")" "$T/rootfs/bin/"
        while read -r file; do
            mkdir -p "$T/rootfs$(dirname "$file")"
            cp -L "$file" "$T/rootfs$file"
        done < <(ldd "$(type -P "$program")" | grep -o '/[^ ]*')
    done
}

# make_bundle FOLDER ARGS…: an OCI bundle for crun with the filter that docker and podman use.
make_bundle() {
    local folder=$1 rootless=()
    shift
    [ "$(id -u)" = 0 ] || rootless=(--rootless)
    mkdir -p "$folder"
    rm -f "$folder/config.json"
    crun spec -b "$folder" "${rootless[@]}" 2>/dev/null || (cd "$folder" && crun spec "${rootless[@]}")
    python3 "$SOURCE_DIR/tests/bench/bundle.py" "$folder/config.json" "$T/rootfs" "$@"
}

# crun and podman refuse cgroups v1 and v2 side by side: there they get a mount namespace without
# the v2 tree. Prints "@PATH" for interleave, or nothing where none is needed.
oci_namespace() {
    [ -d /sys/fs/cgroup/unified ] && [ "$(id -u)" = 0 ] || return 0
    if [ -z "${OCI_HOLDER:-}" ]; then
        mkfifo "$T/ready"
        unshare --mount --propagation private sh -c \
            "umount /sys/fs/cgroup/unified; echo >'$T/ready'; exec sleep infinity" &
        OCI_HOLDER=$!
        CLEANUP+=("kill $OCI_HOLDER")
        read -r _ <"$T/ready"
    fi
    OCI_NAMESPACE=@/proc/$OCI_HOLDER/ns/mnt
}
OCI_NAMESPACE=

podman_options() {
    PODMAN=(podman --root "$T/podman" --runroot "$T/podman-run" --cgroup-manager cgroupfs)
    PODMAN_RUN=(--network none --rootfs)
    if [ "$(id -u)" = 0 ]; then
        local files processes
        files=$(ulimit -Hn) processes=4096
        [ "$files" = unlimited ] && files=1048576
        PODMAN_RUN=("--ulimit=nofile=$files:$files" "--ulimit=nproc=$processes:$processes" "${PODMAN_RUN[@]}")
    fi
    CLEANUP+=('podman_forget')
}
podman_forget() {
    local enter=()
    [ -z "$OCI_NAMESPACE" ] || enter=(nsenter "--mount=${OCI_NAMESPACE#@}")
    "${enter[@]}" "${PODMAN[@]}" rm --all --force --time 0 >/dev/null 2>&1 || :
    "${enter[@]}" umount "$T/podman/overlay" 2>/dev/null || :
}

# show_times FILE BASE: interleave's lines as a table, with ratios to the peer called BASE.
show_times() {
    awk -F'\t' -v base="$2" '
        { name[NR] = $1; runs[NR] = $2; min[NR] = $3; median[NR] = $4; high[NR] = $5
          if ($1 == base) { of_min = $3; of_median = $4 } }
        END {
            printf "%-22s %5s %9s %9s %9s   %s\n", "", "runs", "min ms", "median", "90 %", "times " base
            for (i = 1; i <= NR; i++)
                printf "%-22s %5d %9.2f %9.2f %9.2f   %s\n", name[i], runs[i], min[i] / 1000,
                    median[i] / 1000, high[i] / 1000,
                    of_min ? sprintf("%.2f / %.2f", min[i] / of_min, median[i] / of_median) : "-"
        }' "$1"
}

# say_target FILE NAME PEER MOST: whether NAME's median is at most MOST times PEER's.
say_target() {
    awk -F'\t' -v name="$2" -v peer="$3" -v most="$4" '
        { median[$1] = $4 }
        END {
            if (!median[name] || !median[peer]) { print "target: " name " beside " peer ": not measured"; exit }
            ratio = median[name] / median[peer]
            printf "target: %s at most %.2f x %s: %.2f, %s\n", name, most, peer, ratio,
                ratio <= most ? "met" : "MISSED"
        }' "$1"
}
