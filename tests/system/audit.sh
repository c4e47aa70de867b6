#!/bin/bash
# An audit from inside: tests/audit tries what a hostile program would, on the default profile.
# Secrets are hidden all over the host beforehand; what it may not reach is looked for afterwards.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

INSIDE=$BUILD_DIR/tests/audit/inside
WORD_A=audit-secret-
WORD_B=$((RANDOM))$$x$((RANDOM))

# Where somebody's secrets lie, as far as this user may put one there. Removed by unplant.
plant() {
    local place number=0
    : >"$T/planted"
    for place in "$HOME" "$HOME/.ssh" "$HOME/.config" "$HOME/.gnupg" /root /root/.ssh /tmp /var/tmp /run /srv \
        /mnt /data /home /media /boot /var/lib /var/log /var/spool/cron /run/user/0 /var/cache "$XDG_RUNTIME_DIR" \
        "/run/user/$(id -u)" /etc/ssh /etc/ssl/private /etc/NetworkManager; do
        [ -d "$place" ] || case $place in "$HOME"/*) mkdir -p "$place" ;; *) continue ;; esac
        [ -w "$place" ] || continue
        number=$((number + 1))
        (umask "$([ $((number % 2)) = 0 ] && echo 077 || echo 022)"; echo "$WORD_A$WORD_B" >"$place/audit-planted-$$-$number") || continue
        echo "$place/audit-planted-$$-$number" >>"$T/planted"
    done
    # not for everybody, where everybody's files are
    if [ -w /etc ]; then
        (umask 077; echo "$WORD_A$WORD_B" >"/etc/audit planted $$.key")
        (umask 027; mkdir -p "/etc/audit-$$.d"; echo "$WORD_A$WORD_B" >"/etc/audit-$$.d/key")
        printf '%s\n' "/etc/audit planted $$.key" "/etc/audit-$$.d/key" >>"$T/planted"
    fi
}

unplant() {
    local path
    while read -r path; do rm -f "$path"; done <"$T/planted"
    rmdir "/etc/audit-$$.d" 2>/dev/null || :
}

facts() {
    local kind
    mkdir -p audit
    {
        printf '%s\n' "who=$COFFERDAM_TEST_AS" "hostname=$(uname -n)" "home=$HOME" "pid=$$" \
            "boot-id=$(cat /proc/sys/kernel/random/boot_id)" "machine-id=$(cat /etc/machine-id 2>/dev/null)" \
            "uptime=$(cut -d' ' -f1 /proc/uptime)" "word-a=$WORD_A" "word-b=$WORD_B" \
            "user=$(id -un)" "port=${PORT:-}" "abstract=${ABSTRACT:-}" "shm-key=${KEY:-}" \
            "mac=$(cat /sys/class/net/e*/address 2>/dev/null | head -1)"
        for kind in user mnt pid net uts ipc cgroup time; do
            echo "ns-$kind=$(readlink "/proc/self/ns/$kind")"
        done
    } >audit/facts
    sed '/^\/audit/d' planted >audit/planted
}

# inside THEME… [-- OPTION…]: runs these checks; each is named, any hole is a failure.
inside() {
    local themes=() status=0
    while [ $# -gt 0 ] && [ "$1" != -- ]; do themes+=("$1"); shift; done
    [ $# = 0 ] || shift
    [ -e planted ] || : >planted
    facts
    cofferdam run --copy-in "$INSIDE:/audit/inside" --copy-in ./audit/facts:/audit/facts \
        --copy-in ./audit/planted:/audit/planted "$@" -- /audit/inside "${themes[@]}" >out 2>err </dev/null || status=$?
    grep -c '^ok' out >&2
    grep -q '^1\.\.[1-9]' out || { cat out err; fail "it did not finish (status $status)"; }
    if grep -q '^not ok' out; then
        grep '^not ok' out
        fail "$(grep -c '^not ok' out) holes"
    fi
    [ "$status" = 0 ] || { cat err; fail "status $status"; }
}

test_system_calls() {
    need userns
    inside calls compat
}

test_system_calls_in_a_read_only_root() {
    need userns
    inside calls compat files -- --set isolation.read-only=yes
}

test_sockets() {
    need userns python3
    # Listeners of the host's: one on its loopback, one abstract.
    ABSTRACT=audit-$$
    mkfifo ready
    python3 - "$ABSTRACT" >ready <<'PY' &
import socket, sys, signal
t = socket.socket(); t.bind(("127.0.0.1", 0)); t.listen()
u = socket.socket(socket.AF_UNIX); u.bind("\0" + sys.argv[1]); u.listen()
print(t.getsockname()[1], flush=True)
signal.pause()
PY
    local listener=$!
    read -r PORT <ready
    (inside sockets) || { kill $listener; exit 1; }
    kill $listener
}

test_file_systems() {
    need userns
    inside files
    local path
    for path in /usr /etc /opt / /var /tmp /var/tmp /root /home /srv; do
        expect_no_file "$path/audit-was-here"
    done
    if grep -q audit-was-here /etc/passwd; then fail "the host's passwd was written"; fi
}

test_processes() {
    need userns ipcmk
    KEY=$(ipcmk -M 4096 >shm && ipcs -m | awk -v id="$(grep -o '[0-9]*$' shm)" '$2 == id { print $1 }')
    touch /dev/shm/audit
    (inside processes) || { ipcrm -M "$KEY"; rm -f /dev/shm/audit; exit 1; }
    ipcrm -M "$KEY"
    rm -f /dev/shm/audit
}

test_pools() {
    need userns
    inside ptys inotify processes fill_shm fill_dev fill_mqueue inodes_shm locked_memory realtime_limit \
        pending_signals descriptors memory
    [ -z "${COFFERDAM_LONG:-}" ] || inside pools
}

test_disks_are_bounded() {
    need userns
    inside fill_root fill_tmp fill_usr -- --set resources.disk=64M >/dev/null
    [ "$(grep -oE '[0-9]+ MiB' out | sort -n | tail -1 | cut -d' ' -f1)" -le 64 ] || { cat out; fail "more than 64 MiB"; }
}

test_secrets_are_not_found() {
    need userns
    plant
    (
        export "AUDIT_ENVIRONMENT=$WORD_A$WORD_B" SSH_AUTH_SOCK=/tmp/x DISPLAY=:0 DBUS_SESSION_BUS_ADDRESS=x
        inside secrets
    ) || { unplant; exit 1; }
    unplant
}

test_descriptors_stay_outside() {
    need userns
    exec 5</ 6<"$HOME" 7<>/dev/null 9</proc
    inside inherited working_folder dotdot
}

test_at_a_terminal() {
    need userns
    : >planted
    facts
    echo terminal=yes >>audit/facts
    mkdir -m 0777 told
    cofferdam run --tty --copy-in "$INSIDE:/audit/inside" --copy-in ./audit/facts:/audit/facts \
        --mount ./told:/told:rw -- sh -c '/audit/inside compat files processes | cat >/told/out' >/dev/null </dev/null || :
    grep -q '^1\.\.[1-9]' told/out || fail "it did not finish"
    if grep '^not ok' told/out; then fail "holes"; fi
}

test_orphans_end_with_the_workload() {
    need userns pgrep
    local mark=$((100000 + RANDOM)) left
    capture cofferdam run -- sh -c "setsid sleep $mark </dev/null >/dev/null 2>&1 & (trap '' TERM HUP INT; sleep $mark) & exit 0"
    expect_status 0
    gone() { ! pgrep -f "^sleep $mark" >/dev/null; }
    await 5 gone
}

test_a_fork_bomb_ends() {
    need userns
    local mark=bomb$RANDOM # the name says that it must be gone for the next one to start
    capture cofferdam run --name "$mark" --time-limit 3s -- sh -c ':(){ :|:& };: ; sleep 60'
    capture cofferdam run -- true
    expect_status 0
}

# What a hostile workload calls itself or prints never reaches a terminal as it is.
test_nothing_dangerous_is_shown() {
    need userns script
    local evil=$'\e]52;c;ZXZpbA==\a\e]0;evil\a\eP$q"p\e\\\e[5n\e[c\e[21t\x9b6n'
    script -qec "$COFFERDAM run --label 'a=$evil' -- printf '%s' '$evil'" /dev/null >shown 2>&1 </dev/null || :
    script -qec "$COFFERDAM run --keep always --name shown --tty -- sh -c 'printf %s \"\$1\"; sleep 0.2' sh '$evil'" /dev/null >>shown 2>&1 </dev/null || :
    for verb in "ps --all" "logs shown" "report shown" "inspect shown" "diff shown" "no-such $evil" "inspect $evil"; do
        script -qec "$COFFERDAM $verb" /dev/null >>shown 2>&1 </dev/null || :
    done
    cofferdam rm -f shown >/dev/null 2>&1 || :
    LC_ALL=C
    # the sequences it asked for: clipboard, title, answers to queries
    if grep -aqP '\x1b\]52|\x1b\]0;evil|\x1bP\$q|\x1b\[5n|\x1b\[c|\x1b\[21t|\x9b6n' shown; then
        cat -v shown | tail -40
        fail "an escape sequence of the workload's was shown"
    fi
}

run_tests "$@"
