#!/bin/bash
# A bundle that `plan --bundle` has written runs unchanged under each runtime, by hand.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

USERS=root

make_root() {
    local busybox name
    need userns busybox
    busybox=$(type -P busybox)
    if ldd "$busybox" >"$T/ldd" 2>&1; then
        echo 'needs a busybox that is static' >"$T/skip"
        exit 77
    fi
    mkdir -p root/bin
    cp "$busybox" root/bin/busybox
    for name in sh id cat grep touch; do ln -s busybox "root/bin/$name"; done
}

make_bundle() {
    make_root
    cofferdam plan --bundle "$PWD/bundle" --image "dir:$PWD/root" -- sh -c \
        'grep -q "^Seccomp:.*2" /proc/self/status && grep -q "^CapBnd:.*0000000000000000" /proc/self/status &&
         touch /new && exit 7'
    expect_file bundle/config.json
    chmod 0755 . ..
}

test_crun_runs_it() {
    need crun
    make_bundle
    # crun looks at no hybrid host's control groups
    capture unshare --mount --propagation private sh -c \
        "! [ -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified; exec crun run --bundle bundle hand-crun-$$"
    expect_status 7
}

test_runc_runs_it() {
    need runc
    make_bundle
    capture runc run --bundle bundle "hand-runc-$$"
    expect_status 7
}

test_runsc_runs_it() {
    need runsc
    make_root
    cofferdam plan --bundle "$PWD/bundle" --image "dir:$PWD/root" -- sh -c 'touch /new && exit 7'
    capture runsc --root "$PWD/state" --network=none run --bundle bundle "hand-runsc-$$"
    expect_status 7
}

test_the_specification_accepts_it() {
    need oci-runtime-tool
    make_bundle
    oci-runtime-tool validate --path bundle
}

test_what_is_no_bundle_is_refused() {
    need userns
    capture cofferdam plan --bundle "$PWD/bundle" -- true
    expect_status 125
    expect_err_has 'no folder of its own'
    expect_no_file bundle
}

run_tests "$@"
