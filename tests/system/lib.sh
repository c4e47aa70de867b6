# shellcheck shell=bash
# What a script of the system ring stands on. Such a script looks like this:
#
#     #!/bin/bash
#     # What it proves, in one line.
#     . "$(dirname "$0")/lib.sh"
#
#     test_status_is_passed_on() {
#         need userns
#         capture cofferdam run -- sh -c 'exit 7'
#         expect_status 7
#     }
#
#     run_tests "$@"
#
# Each function test_* is one test, run in a subshell under `set -e`, in the order of the file, in a
# folder of its own ($T). The script is run as `SCRIPT user` and `SCRIPT root`; run by hand without
# an argument it takes whoever calls. A script that makes sense for one of them only says
# USERS=root (or user) before run_tests; one that says USERS='user ranges root' is also run as a user
# who has subordinate ids, and whose workloads have them all (isolation.user = ranges). Output is TAP; a missing prerequisite is a skip that names
# it, or, if COFFERDAM_MUST lists it, a failure. After the last test the ground is searched for
# processes, mounts, cgroups and files left behind: that is a test as well.

set -u
export LC_ALL=C
unset CDPATH
umask 022

SYSTEM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SOURCE_DIR=$(cd "$SYSTEM_DIR/../.." && pwd)
BUILD_DIR=${COFFERDAM_BUILD:-$SOURCE_DIR/build}
: "${COFFERDAM_MUST:=}"
USERS=${USERS:-user root}

# ---- prerequisites ---------------------------------------------------------------------------------

# have NAME: whether the machine has it. Unknown names are programs on PATH.
have() {
    case $1 in
    root) [ "$(id -u)" = 0 ] ;;
    ordinary-user) [ "$(id -u)" != 0 ] ;;
    userns) unshare --user --map-root-user --mount true 2>/dev/null ;;
    subids) command -v newuidmap >/dev/null && grep -q "^$(id -un):" /etc/subuid 2>/dev/null ;;
    cgroup2) [ -e /sys/fs/cgroup/cgroup.controllers ] &&
        [ -w "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/cgroup.procs" ] ;;
    cgroup) have cgroup2 || { have root && [ -w /sys/fs/cgroup/memory/tasks ]; } ;;
    systemd) [ -d /run/systemd/system ] ;;
    landlock) grep -qw landlock /sys/kernel/security/lsm 2>/dev/null ;;
    # gVisor with systrap, and with snapshots of memory that can be read
    new-runsc) runsc checkpoint --help 2>&1 | grep -q -e -compression ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

# must NAME: COFFERDAM_MUST lists it, so its absence is a failure.
must() {
    case ,${COFFERDAM_MUST// /,}, in *,"$1",*) return 0 ;; *) return 1 ;; esac
}

# need NAME…: skips the test, naming what is missing.
need() {
    local name
    for name in "$@"; do
        have "$name" && continue
        must "$name" && fail "needs $name, which COFFERDAM_MUST promises"
        echo "needs $name" >"$T/skip"
        exit 77
    done
}

# ---- running and expecting -------------------------------------------------------------------------

cofferdam() { "$COFFERDAM" "$@"; }

fail() {
    echo "FAILED: $*"
    exit 1
}

# json EXPRESSION: what Python makes of d, the document that comes in.
json() { python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"; }

# capture COMMAND…: runs it; STATUS, $T/out and $T/err hold what came of it.
capture() {
    STATUS=0
    "$@" >"$T/out" 2>"$T/err" </dev/null || STATUS=$?
}

show_capture() {
    echo "--- status $STATUS"
    echo "--- stdout:" && head -c 2000 "$T/out"
    echo "--- stderr:" && head -c 2000 "$T/err"
}

expect_status() { [ "$STATUS" = "$1" ] || { show_capture; fail "status $STATUS, not $1"; }; }
expect_out() { [ "$(cat "$T/out")" = "$1" ] || { show_capture; fail "stdout is not: $1"; }; }
expect_out_has() { grep -qF -e "$1" "$T/out" || { show_capture; fail "stdout lacks: $1"; }; }
expect_out_lacks() { ! grep -qF -e "$1" "$T/out" || { show_capture; fail "stdout has: $1"; }; }
expect_err_has() { grep -qF -e "$1" "$T/err" || { show_capture; fail "stderr lacks: $1"; }; }
expect_err_empty() { [ ! -s "$T/err" ] || { show_capture; fail "stderr is not empty"; }; }
expect_equal() { [ "$1" = "$2" ] || fail "${3:-value}: '$1', not '$2'"; }
expect_file() { [ -e "$1" ] || fail "there is no $1"; }
expect_no_file() { [ ! -e "$1" ] || fail "there is a $1"; }

# within SECONDS COMMAND…: whether it succeeds in that time.
within() {
    local until=$((SECONDS + $1)) pause status=0
    shift
    exec {pause}<> <(:)
    until "$@"; do
        [ $SECONDS -lt $until ] || { status=1; break; }
        read -rt 0.02 -u "$pause" || :
    done
    exec {pause}>&-
    return $status
}

# await SECONDS COMMAND…: until it succeeds. For what gives no event; prefer `cofferdam wait`. The time is that of
# an idle machine: one that has other work gets a multiple of it before that is a failure.
await() { within $(($1 * 4)) "${@:2}" || fail "in vain: ${*:2}"; }

# free_port: one of this host that nobody listens at, and below those the kernel gives away by itself.
free_port() {
    local port first
    read -r first _ </proc/sys/net/ipv4/ip_local_port_range
    [ "$first" -gt 11000 ] || first=32768
    while :; do
        port=$((10000 + RANDOM % (first - 10000)))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

# ---- users and folders -----------------------------------------------------------------------------

# The account that root's ordinary-user runs borrow: who called sudo, else the first person, else nobody.
ordinary_account() {
    local name=${COFFERDAM_TEST_USER:-${SUDO_USER:-}}
    if [ -z "$name" ] || [ "$name" = root ]; then
        name=$(awk -F: '$3 >= 1000 && $3 < 60000 { print $1; exit }' /etc/passwd)
    fi
    echo "${name:-nobody}"
}

# make_run_dir OWNER: a folder with homes and XDG folders of its own. Short: sockets go in there.
make_run_dir() {
    RUN=$(mktemp -d /tmp/cdt.XXXXXX) || exit 1
    mkdir -m 0700 "$RUN/home" "$RUN/run" "$RUN/state" "$RUN/data" "$RUN/cache" "$RUN/config" "$RUN/t"
    chown -R "$1" "$RUN"
    chmod 0755 "$RUN"
}

# The programs, where the user of this run can read them: the build tree or a copy.
place_programs() {
    local as=("$@")
    if "${as[@]}" test -x "$BUILD_DIR/cofferdam" && "${as[@]}" test -r "$SOURCE_DIR/profiles/shipped"; then
        COFFERDAM=$BUILD_DIR/cofferdam
        return
    fi
    mkdir -p "$RUN/bin/share/profiles"
    find "$BUILD_DIR" -maxdepth 1 -type f -name 'cofferdam*' -exec cp -t "$RUN/bin" {} +
    find "$SOURCE_DIR/profiles/shipped" -type f -exec cp -t "$RUN/bin/share/profiles" {} +
    cp -rL "$SOURCE_DIR/tests" "$RUN/bin/tests"
    (cd "$BUILD_DIR" && find tests/system tests/tools tests/bench tests/audit -maxdepth 1 -type f -executable \
        -exec cp --parents -t "$RUN/bin" {} +)
    chmod -R go-w,a+rX "$RUN/bin"
    COFFERDAM=$RUN/bin/cofferdam
    BUILD_DIR=$RUN/bin
    ATTEND=$BUILD_DIR/tests/system/attend
}

# give_ids ACCOUNT: in a mount namespace of our own subuid(5) and subgid(5) give it one range each.
# The whole of /etc is another: with a mount inside it no overlay could lie over it.
give_ids() {
    local file folder
    [ -e /etc/subuid ] && [ -e /etc/subgid ] && folder=$(mktemp -d) || return 1
    mount -t tmpfs -o mode=0755 etc "$folder" && cp -a /etc/. "$folder" || return 1
    for file in subuid subgid; do
        { grep -v "^$1:" /etc/$file; echo "$1:3000000:65536"; } >"$folder/$file"
    done
    mount --bind "$folder" /etc && umount --lazy "$folder" && rmdir "$folder"
}

# Workloads of this run have all of the user's ids.
use_ranges() {
    mkdir -p "$RUN/config/cofferdam/profiles/contained.ini.d"
    printf '[isolation]\nuser = ranges\n' >"$RUN/config/cofferdam/profiles/contained.ini.d/ranges.ini"
    chown -R "$1" "$RUN/config"
}

# interface_settings [LINE…]: the person's. The machine's own domains are neither shown nor driven.
# shellcheck disable=SC2120 # those of the screens give some
interface_settings() {
    mkdir -p "$XDG_CONFIG_HOME/cofferdam"
    printf '%s\n' '[interface]' 'others = no' "$@" >"$XDG_CONFIG_HOME/cofferdam/interface.ini"
}

# start_over WHO ARGS…: this script again, as that user, in a clean environment, attended.
start_over() {
    local who=$1 as=() account script
    shift
    account=$(id -un 2>/dev/null || id -u)
    if [ "$who" != root ] && [ "$(id -u)" = 0 ]; then
        account=$(ordinary_account)
        as=(setpriv --reuid "$(id -u "$account")" --regid "$(id -g "$account")" --init-groups)
    fi
    make_run_dir "$account"
    XDG_CONFIG_HOME=$RUN/config interface_settings
    chown -R "$account" "$RUN/config"
    [ "$who" != ranges ] || use_ranges "$account"
    place_programs "${as[@]}"
    # the ring's folder and the script in it
    script=$(basename "$(cd "$(dirname "$0")" && pwd)")/$(basename "$0")
    case $COFFERDAM in "$RUN"/*) script=$RUN/bin/tests/$script ;; *) script=$SOURCE_DIR/tests/$script ;; esac
    local status=0
    cd "$RUN" || exit 1
    "${as[@]}" env -i PATH="$PATH" LC_ALL=C TERM="${TERM:-dumb}" USER="$account" HOME="$RUN/home" \
        XDG_RUNTIME_DIR="$RUN/run" XDG_STATE_HOME="$RUN/state" XDG_DATA_HOME="$RUN/data" \
        XDG_CACHE_HOME="$RUN/cache" XDG_CONFIG_HOME="$RUN/config" TMPDIR="$RUN/t" \
        COFFERDAM_MUST="$COFFERDAM_MUST" COFFERDAM_BUILD="$BUILD_DIR" COFFERDAM="$COFFERDAM" \
        COFFERDAM_LONG="${COFFERDAM_LONG:-}" COFFERDAM_STRIDE="${COFFERDAM_STRIDE:-}" \
        COFFERDAM_VMLINUX="${COFFERDAM_VMLINUX:+$(realpath "$COFFERDAM_VMLINUX")}" \
        ONLY="${ONLY:-}" OFFSET="${OFFSET:-}" ACCEPT_RUNTIMES="${ACCEPT_RUNTIMES:-}" ACCEPT_IMAGE="${ACCEPT_IMAGE:-}" \
        RUN="$RUN" COFFERDAM_TEST_AS="$who" "${SANITIZER_ENV[@]}" \
        "$ATTEND" 5000 bash "$script" "$who" "$@" || status=$?
    cd /
    rm -rf --one-file-system "$RUN"
    exit $status
}

# ---- the ground after the tests ----------------------------------------------------------------------

# Mounts and cgroups that speak of this run or of us.
list_mounts() { awk -v run="$RUN" 'index($0, run "/") || /cofferdam/ { print $5 }' /proc/self/mountinfo; }
# Those with a process in them are somebody's living workload: a process of ours would be caught as such.
list_cgroups() {
    local group
    find /sys/fs/cgroup -type d -name '*cofferdam*' -uid "$(id -u)" 2>/dev/null | sort |
        while read -r group; do
            [ -n "$(cat "$group/cgroup.procs" 2>/dev/null)" ] || echo "$group"
        done
}

# What came since the tests began, and stays: others may be at work on this machine.
lasting() {
    local left
    left=$({ list_mounts; list_cgroups; } | sort | comm -13 <(echo "$HOST_BEFORE") -)
    goes() { left=$({ list_mounts; list_cgroups; } | sort | comm -12 <(echo "$left") -) && [ -z "$left" ]; }
    within 5 goes || echo "$left"
}

# Files that no disposable may leave: anything but folders in run/ and state/, our temporary ones, and
# the empty file that is locked while a name is taken. libvirt's session daemon is not ours: who asks it,
# as doctor does, starts it, and it stays for two minutes.
list_files() {
    find "$RUN/run" "$RUN/state" ! -type d ! -path "$RUN/run/cofferdam/.names" ! -path "$RUN/state/cofferdam/toured" \
        ! -path "$RUN/run/libvirt/*" 2>/dev/null
    find "$RUN/run/cofferdam" "$RUN/state/cofferdam/workloads" -mindepth 1 -maxdepth 1 -type d 2>/dev/null |
        grep -v '/ids$'
}

ground_is_clean() {
    local left
    left=$(lasting; list_files)
    [ -z "$left" ] || { echo "$left" >"$RUN/t/left"; return 1; }
}

# What tests kept on purpose goes the way a person would remove it, the rest by prune.
test_zz_nothing_is_left() {
    local kept
    kept=$("$COFFERDAM" ps --all --quiet 2>/dev/null) || kept=
    # shellcheck disable=SC2086 # ids are words
    [ -z "$kept" ] || "$COFFERDAM" rm --force $kept >/dev/null 2>&1 || :
    "$COFFERDAM" prune --force >/dev/null 2>&1 || :
    [ ! -s "$RUN/run/libvirt/libvirtd.pid" ] || kill "$(cat "$RUN/run/libvirt/libvirtd.pid")" 2>/dev/null || :
    (await 5 ground_is_clean) >/dev/null || { cat "$RUN/t/left"; fail "something was left behind"; }
}

# ---- the run -----------------------------------------------------------------------------------------

run_one() {
    local name=$1 number=$2 title status=0
    T=$RUN/t/$name
    mkdir -p "$T"
    (
        set -e
        cd "$T"
        "$name"
    ) >"$T/log" 2>&1 </dev/null
    status=$?
    title=${name#test_}
    title=${title//_/ }
    case $status in
    0) echo "ok $number - $title" ;;
    77) echo "ok $number - $title # SKIP $(cat "$T/skip" 2>/dev/null)" ;;
    *)
        echo "not ok $number - $title"
        sed 's/^/#     /' "$T/log" | cat -v
        FAILURES=$((FAILURES + 1))
        ;;
    esac
}

skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}

run_tests() {
    local who=${1:-} name names number=0
    if [ -z "$who" ]; then
        [ "$(id -u)" = 0 ] && who=root || who=user
    fi
    case " $USERS " in *" $who "*) ;; *) skip_all "is for $USERS only" ;; esac
    if [ "$who" = root ] && [ "$(id -u)" != 0 ]; then
        must root && { echo "1..1"; echo "not ok 1 - needs root, which COFFERDAM_MUST promises"; exit 1; }
        skip_all "needs root"
    fi
    ATTEND=$BUILD_DIR/tests/system/attend
    if [ "$who" = ranges ] && [ "${COFFERDAM_TEST_AS:-}" != ranges ]; then
        have newuidmap || skip_all 'needs newuidmap'
        if [ "$(id -u)" != 0 ]; then
            have subids || skip_all 'needs root, or subordinate ids'
        elif [ -z "${COFFERDAM_OWN_MOUNTS:-}" ]; then
            COFFERDAM_OWN_MOUNTS=1 exec unshare --mount --propagation private bash "$0" "$@"
        else
            give_ids "$(ordinary_account)" || skip_all 'needs /etc/subuid and /etc/subgid'
        fi
    fi
    SANITIZER_ENV=(ASAN_OPTIONS="${ASAN_OPTIONS:-}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-}")
    [ "${COFFERDAM_TEST_AS:-}" = "$who" ] || start_over "$who" "${@:2}"

    HOST_BEFORE=$({ list_mounts; list_cgroups; } | sort)
    FAILURES=0
    # In the order of the file, or of TESTS where a table makes them; the search of the ground last.
    names=${TESTS:-$(sed -n 's/^\(test_[a-z0-9_]*\)() *{.*/\1/p' "$0")}
    names="$names test_zz_nothing_is_left"
    # shellcheck disable=SC2086 # names are words
    set -- $names
    [ -z "${ONLY:-}" ] || set -- "$ONLY"
    echo "1..$#"
    for name in "$@"; do
        number=$((number + 1))
        run_one "$name" "$number"
    done
    [ "$FAILURES" = 0 ]
}
