#!/usr/bin/env bash
# gVisor's own: its platforms, what of it is counted. Files and memory of it are in snapshots.sh.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

SANDBOX=(--boundary sandbox --set resources.limits=best-effort)

end_all() { cofferdam kill g >/dev/null 2>&1 || :; }

# below PID: every process that comes from it, with it.
below() {
    local child
    echo "$1"
    for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do below "$child"; done
}

hands_of() { cofferdam inspect --json "$1" | json "d['workloads'][0]['state']['pid']"; }

test_platforms() {
    need userns new-runsc
    trap end_all EXIT
    local platform pid
    for platform in systrap ptrace; do
        runsc help platforms | grep -q "$platform" || continue
        cofferdam run "${SANDBOX[@]}" --set isolation.platform=$platform --name g --detach -- sleep 600 >/dev/null
        for pid in $(below "$(hands_of g)"); do tr '\0' ' ' <"/proc/$pid/cmdline"; echo; done >seen
        grep runsc-sandbox seen | grep -q -- "--platform=$platform" || fail "$platform: $(cat seen)"
        cofferdam exec g -- true
        cofferdam kill g
    done
    cofferdam plan --json "${SANDBOX[@]}" --set isolation.platform=ptrace -- true | grep -q '"platform": *"ptrace"'
    capture cofferdam run "${SANDBOX[@]}" --set isolation.platform=xen -- true
    expect_status 125
    expect_err_has "none of auto, systrap, ptrace, kvm"
}

# KVM is believed when a guest has run; where it has not, nothing starts.
test_platform_kvm() {
    need userns runsc
    local works=yes
    "$BUILD_DIR/tests/tools/kvm-works" >why 2>&1 || works=no
    capture cofferdam doctor
    expect_out_has "gVisor's platform kvm"
    capture cofferdam run "${SANDBOX[@]}" --set isolation.platform=kvm -- true
    if [ "$works" = no ]; then
        expect_status 125
        expect_err_has "isolation.platform = kvm"
        expect_err_has "systrap needs none"
        expect_equal "$(cofferdam ps --all --quiet)" ""
    fi
}

test_platform_is_gvisors() {
    need userns
    local runtime
    for runtime in native crun runc; do
        capture cofferdam run --runtime $runtime --set isolation.platform=ptrace -- true
        expect_status 125
        expect_err_has "isolation.platform (--set) needs gVisor"
    done
}

# refuses_by_name RUNTIME WORDS OPTION…: before anything is made, and saying what of it cannot be had.
refuses_by_name() {
    local runtime=$1 words=$2
    shift 2
    capture cofferdam run --runtime "$runtime" --name g "$@" -- true
    expect_status 125
    expect_err_has "$words"
    expect_equal "$(cofferdam ps --all --quiet)" "" "$runtime: $words"
}

# What a runtime has no word for is said before the start; it is never left out.
test_what_it_cannot_express_is_refused() {
    need userns
    local runtime word
    for runtime in crun runc runsc; do
        ! type -P $runtime >/dev/null || refuses_by_name $runtime isolation.landlock --set isolation.landlock=yes
    done
    type -P runsc >/dev/null || need runsc
    for word in bpf userfaultfd perf vsock keyring; do
        refuses_by_name runsc isolation.open --set isolation.open=$word
    done
    for word in apparmor selinux; do
        refuses_by_name runsc isolation.$word --set isolation.$word=some
    done
}

# The kernel in user space and who opens its files are in the workload's group, and so in its numbers.
test_all_of_it_is_counted() {
    need userns runsc cgroup
    trap end_all EXIT
    cofferdam run --boundary sandbox --memory 512M --name g --detach -- sleep 600 >/dev/null
    local pid group hands counted
    hands=$(hands_of g)
    group=$(cat "/proc/$hands/cgroup")
    below "$hands" >pids
    for pid in $(cat pids); do tr '\0' ' ' <"/proc/$pid/cmdline"; echo; done >seen
    grep -q runsc-sandbox seen && grep -q runsc-gofer seen
    for pid in $(cat pids); do expect_equal "$(cat "/proc/$pid/cgroup")" "$group" "group of $pid"; done
    counted=$(cofferdam ps --json | json "d['workloads'][0]['sample']['memory']")
    # what they have of their own, all together
    for pid in $(cat pids); do cat "/proc/$pid/smaps_rollup" 2>/dev/null; done |
        awk '/^Private_Dirty:|^Anonymous:/ { kb[$1] += $2 } END { print kb["Anonymous:"] * 1024 }' >own
    [ "$counted" -ge $(($(cat own) / 2)) ] || fail "$counted bytes are counted, $(cat own) are there"
}

# numbers: by number what the list refuses, beside one it knows nothing of and one that libc has to
# hear of as missing; then what holds whoever asks.
NUMBERS='
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for call in 308, 272, 321, 323, 425, 435, 165, 1000:
    ctypes.set_errno(0)
    print(call, libc.syscall(call, 0, 0, 0, 0, 0), ctypes.get_errno())
print([l.split()[1] for l in open("/proc/self/status") if l.startswith("Seccomp:")])
'

# The same list means the same thing for what runs first, for PID 1 and for what is added.
test_exec_is_held_to_the_list() {
    need userns runsc python3
    [ "$(uname -m)" = x86_64 ] || need "x86_64's numbers"
    trap end_all EXIT
    local python user
    python=$(readlink -f /usr/bin/python3)
    cofferdam run -- "$python" -c "$NUMBERS" >native
    cofferdam run "${SANDBOX[@]}" -- "$python" -c "$NUMBERS" >sandbox
    expect_equal "$(cat sandbox)" "$(cat native)" "the workload itself"
    grep -q '^308 -1 1$' native || fail "$(cat native)"
    cofferdam run "${SANDBOX[@]}" --name g --detach -- sleep 600 >/dev/null
    cofferdam exec g -- "$python" -c "$NUMBERS" >added
    expect_equal "$(cat added)" "$(cat native)" "what is added"
    for user in 0 "$(cofferdam exec g -- id -u)"; do
        cofferdam exec --user "$user" g -- "$python" -c "$NUMBERS" >added
        expect_equal "$(cat added)" "$(cat native)" "added as user $user"
    done
    if have root; then
        cofferdam exec --user 1234:1234 g -- "$python" -c "${NUMBERS}print(os.getuid())" >added
        expect_equal "$(cat added)" "$(cat native; echo 1234)" "added as user 1234"
    fi
    cofferdam exec g -- "$python" -c 'print([l for l in open("/proc/1/status") if "Seccomp:" in l])' >first
    grep -q 2 first || fail "PID 1: $(cat first)"
    capture cofferdam exec --workdir /usr --env A=b g -- sh -c 'pwd; echo $A; exit 7'
    expect_status 7
    expect_out "/usr
b"
    capture cofferdam exec g -- no-such-command
    expect_status 127
    capture cofferdam exec g -- /etc/passwd
    expect_status 126
}

test_exec_at_a_terminal_is_held_to_the_list() {
    need userns runsc python3
    trap end_all EXIT
    mkdir -m 0777 told
    cofferdam run "${SANDBOX[@]}" --mount "$T/told:/told:rw" --name g --detach -- sleep 600 >/dev/null
    cofferdam exec --tty g -- sh -c 'test -t 0 && grep Seccomp: /proc/self/status >/told/it' >/dev/null
    expect_equal "$(tr -d '[:space:]' <told/it)" Seccomp:2 "its list"
}

# Nobody inside can put another in its place, and what cannot be installed runs nothing.
test_the_list_is_not_theirs_to_write() {
    need userns runsc
    trap end_all EXIT
    capture cofferdam run "${SANDBOX[@]}" --user root -- sh -c '
        for f in /dev/cofferdam-list /dev/cofferdam-init; do
            (: >"$f") 2>/dev/null && echo written
            rm -f "$f" 2>/dev/null && echo removed
            mv "$f" "$f.old" 2>/dev/null && echo moved
        done
        /dev/cofferdam-init list /dev/null env -- echo ran; echo $?
        /dev/cofferdam-init list /nowhere -- echo ran; echo $?
        /dev/cofferdam-init list /dev/cofferdam-list env -- echo fine'
    expect_out "125
125
fine"
    cofferdam run "${SANDBOX[@]}" --set isolation.seccomp=off --name g --detach -- sleep 600 >/dev/null
    capture cofferdam exec g -- grep Seccomp: /proc/self/status
    expect_out_has 0
    capture cofferdam plan "${SANDBOX[@]}" -- true
    expect_out_lacks "what \`exec\` adds"
}

# Whoever kills the kernel in user space has not ended the workload's own command.
test_a_killed_sandbox_is_told_as_that() {
    need userns runsc
    [ "$(uname -r | awk -F. '{ print $1 * 100 + $2 }')" -ge 615 ] || need "Linux 6.15, which tells how a process ended"
    local pid sandbox=
    trap 'cofferdam rm --force g >/dev/null 2>&1 || :' EXIT
    cofferdam run "${SANDBOX[@]}" --keep always --name g --detach -- sleep 600 >/dev/null
    for pid in $(below "$(hands_of g)"); do
        [[ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" != runsc-sandbox* ]] || sandbox=$pid
    done
    kill -9 "${sandbox:?there is no sandbox}"
    capture cofferdam wait g
    capture cofferdam report g
    expect_out_has "runsc, which the workload ran in, was killed by signal 9"
    expect_equal "$(cofferdam inspect --json g | json "d['workloads'][0]['state']['status']")" 137 status
    cofferdam rm --force g >/dev/null
    # what a person ends, or the workload itself, is no failure of gVisor's
    cofferdam run "${SANDBOX[@]}" --keep always --name g --detach -- sleep 600 >/dev/null
    cofferdam kill g
    capture cofferdam report g
    expect_out_lacks "which the workload ran in"
    cofferdam rm --force g >/dev/null
    capture cofferdam run "${SANDBOX[@]}" --keep always --name g -- sh -c 'kill -9 $$'
    expect_status 137
    capture cofferdam report g
    expect_out_lacks "which the workload ran in"
}

# What nobody looked at is said of a sandbox too.
# Its own tests have a call for that.
test_a_sandbox_that_fails_is_told_as_that() {
    need userns runsc python3
    runsc flags 2>&1 | grep -q TESTONLY-afs-syscall-panic || need "a runsc that can fail on purpose"
    trap 'cofferdam rm --force g >/dev/null 2>&1 || :' EXIT
    mkdir failing
    printf '#!/bin/sh\nexec runsc --TESTONLY-afs-syscall-panic "$@"\n' >failing/runsc
    chmod 0755 failing failing/runsc
    [ "$(uname -m)" = x86_64 ] || need "an x86-64, which has that call"
    echo 'import ctypes; ctypes.CDLL(None).syscall(183)' >fail.py
    capture cofferdam run "${SANDBOX[@]}" --runtime "$PWD/failing/runsc" --set isolation.seccomp=off --keep always \
        --name g --mount "$PWD/fail.py:/fail.py" -- python3 /fail.py
    [ "$STATUS" != 0 ] || fail "it has not failed"
    capture cofferdam report g
    expect_out_has "which the workload ran in, has failed: panic: User workload triggered a panic"
    cofferdam rm --force g >/dev/null
    # what a command says of itself is not gVisor's
    capture cofferdam run "${SANDBOX[@]}" --keep always --name g -- sh -c 'echo "panic: mine" >&2; exit 2'
    expect_status 2
    capture cofferdam report g
    expect_out_lacks "which the workload ran in"
    cofferdam rm --force g >/dev/null
}

test_the_report_says_what_it_does_not_know() {
    need userns runsc
    cofferdam run "${SANDBOX[@]}" --name g --keep always -- true
    capture cofferdam report g
    expect_out_has "not seen"
    expect_out_has "connections it tried: not recorded"
    expect_out_lacks "refused"
    expect_out_has "in the kernel that stood in between"
    cofferdam rm --force g
}

# What the list refuses it, however often: the same document has numbers and names.
test_refused_calls_are_in_the_report() {
    need userns new-runsc python3
    cat >calls.py <<'P'
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
mount, keyctl = {"x86_64": (165, 250), "aarch64": (40, 219)}[platform.machine()]
for i in range(300):
    assert libc.syscall(mount, 0, 0, 0, 0, 0) == -1
assert libc.syscall(keyctl, 0, 0, 0) == -1
print("\nD0101 00:00:00.0 1 task_syscall.go:241] [ 1: 1] Syscall 1: denied by seccomp")
P
    cofferdam run "${SANDBOX[@]}" --name g --keep always --mount "$PWD/calls.py:/calls.py" -- python3 /calls.py
    capture cofferdam report g
    expect_out_has "mount 300 times"
    expect_out_has "keyctl"
    expect_out_lacks "write"
    cofferdam report --json g |
        json '[c["count"] for c in d["refused_calls"] if c["name"] == "mount"]' >got
    expect_equal "$(cat got)" "[300]"
    cofferdam rm --force g
    # and those of a clone are the clone's
    sed '/^for/i import os, time\nprint("ready", flush=True)\nwhile not os.path.exists("/tmp/go"): time.sleep(0.01)' calls.py >later.py
    cofferdam run "${SANDBOX[@]}" --name g --keep always --detach --mount "$PWD/later.py:/calls.py" -- python3 /calls.py >/dev/null
    await 30 sh -c '"$COFFERDAM" logs g | grep -q ready'
    cofferdam snapshot create g --name mem >/dev/null
    cofferdam rm --force g
    cofferdam clone mem --name c >/dev/null
    cofferdam exec c -- touch /tmp/go
    cofferdam wait c >/dev/null
    capture cofferdam report c
    expect_out_has "mount 300 times"
    expect_out_has "keyctl"
    cofferdam rm --force c
    cofferdam snapshot rm --force mem
    cofferdam run "${SANDBOX[@]}" --name g --keep always --set isolation.seccomp=off -- true
    cofferdam report --json g | json 'd["refused_calls"]' >got
    expect_equal "$(cat got)" None "nobody counts without a list"
    cofferdam rm --force g
}

run_tests "$@"
