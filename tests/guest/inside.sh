# shellcheck shell=sh disable=SC2034
# What a script inside the guest stands on: each function test_* is one test, run in a subshell under
# `set -e`, in the order of the file; what it says goes behind a failed point. Output is TAP. For
# busybox's shell: no bash here.

COFFERDAM=/opt/cofferdam/cofferdam
CGROUP=/sys/fs/cgroup

fail() {
    echo "FAILED: $*"
    exit 1
}

skip() {
    echo "$*" >"$T/skip"
    exit 77
}

# capture COMMAND…: runs it; STATUS, $T/out and $T/err hold what came of it.
capture() {
    STATUS=0
    "$@" >"$T/out" 2>"$T/err" </dev/null || STATUS=$?
}

show_capture() {
    echo "--- status $STATUS"
    echo "--- stdout:" && head -c 1500 "$T/out"
    echo "--- stderr:" && head -c 1500 "$T/err"
}

expect_status() { [ "$STATUS" = "$1" ] || { show_capture; fail "status $STATUS, not $1"; }; }
expect_out_has() { grep -qF -e "$1" "$T/out" || { show_capture; fail "stdout lacks: $1"; }; }
expect_out_lacks() { ! grep -qF -e "$1" "$T/out" || { show_capture; fail "stdout has: $1"; }; }
expect_err_has() { grep -qF -e "$1" "$T/err" || { show_capture; fail "stderr lacks: $1"; }; }

# await SECONDS COMMAND…: until it succeeds; for what tells nobody.
await() {
    await_until=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$await_until" ] || fail "in vain: $*"
        sleep 0.05
    done
}

# number KEY <TEXT: the first number behind "KEY" in JSON, or behind KEY in a control group's file.
number() { sed -n -e "s/.*\"$1\": *\([0-9][0-9]*\).*/\1/p" -e "s/^$1 \([0-9][0-9]*\).*/\1/p" | head -n 1; }

# group_of ID: the control group of a workload's processes.
group_of() { find "$CGROUP" -type d \( -path "*/cofferdam-$1" -o -path "*/cofferdam-$1.scope/workload" \) 2>/dev/null; }

ours() { find "$CGROUP" -type d -name '*cofferdam-*' 2>/dev/null; }
nothing_of_ours() { [ -z "$(ours)" ] && ! pidof cofferdam-monitor cofferdam-init >/dev/null; }

# After a test that has failed: the next one starts on clean ground.
tidy() {
    # shellcheck disable=SC2046 # ids are words
    kill -9 $(pidof cofferdam-monitor cofferdam-init) 2>/dev/null || :
    for group in $(ours | sort -r); do
        echo 1 >"$group/cgroup.kill" || :
        (await 5 rmdir "$group") || :
    done 2>/dev/null >&2
}

run_tests() {
    count=0
    echo "# up for $(cut -d ' ' -f 1 /proc/uptime) s"
    only=$(sed -n 's/.* only=\([^ ]*\).*/\1/p' /proc/cmdline)
    for name in $(sed -n 's/^\(test_[a-z0-9_]*\)() *{.*/\1/p' "$0" | grep -e "$only"); do
        count=$((count + 1))
        T=/tmp/t/$name
        mkdir -p "$T"
        chmod 0777 "$T"
        (
            set -e
            cd "$T"
            "$name"
        ) >"$T/log" 2>&1 </dev/null
        status=$?
        title=$(echo "${name#test_}" | tr _ ' ')
        case $status in
        0) echo "ok $count - $title" ;;
        77) echo "ok $count - $title # SKIP $(cat "$T/skip")" ;;
        *)
            echo "not ok $count - $title"
            tail -n 30 "$T/log" | sed 's/^/#     /' | cat -v
            tidy
            ;;
        esac
    done
    echo "# up for $(cut -d ' ' -f 1 /proc/uptime) s"
    echo "1..$count"
}
