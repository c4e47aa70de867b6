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
    need userns runsc
    trap end_all EXIT
    local platform pid
    for platform in systrap ptrace; do
        runsc help platforms | grep -q "$platform" || continue
        cofferdam run "${SANDBOX[@]}" --set isolation.platform=$platform --name g --detach -- sleep 60 >/dev/null
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

# The kernel in user space and who opens its files are in the workload's group, and so in its numbers.
test_all_of_it_is_counted() {
    need userns runsc cgroup
    trap end_all EXIT
    cofferdam run --boundary sandbox --memory 512M --name g --detach -- sleep 60 >/dev/null
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

# What nobody looked at is said of a sandbox too.
test_the_report_says_what_it_does_not_know() {
    need userns runsc
    cofferdam run "${SANDBOX[@]}" --name g --keep always -- sh -c 'mount -t proc proc /proc' 2>/dev/null || :
    capture cofferdam report g
    expect_out_has "not seen"
    expect_out_has "system calls it was refused: not recorded"
    expect_out_has "in the kernel that stood in between"
    cofferdam rm --force g
}

run_tests "$@"
