#!/bin/bash
# A bundle that `plan --bundle` has written runs unchanged under each runtime, by hand.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# A user's runtimes need a namespace in which they may hide the host's control groups, or be called root.
as_needed() {
    if have root; then
        unshare --mount --propagation private "$@"
    else
        unshare --user --map-current-user --keep-caps --mount "$@"
    fi
}

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

# Further arguments: options of plan. A user's one id is called 0 inside: runc knows no other way.
make_bundle() {
    make_root
    have root || set -- --user root "$@"
    cofferdam plan "$@" --bundle "$PWD/bundle" --image "dir:$PWD/root" -- sh -c \
        'grep -q "^Seccomp:.*2" /proc/self/status && grep -q "^CapBnd:.*0000000000000000" /proc/self/status &&
         touch /new && exit 7'
    expect_file bundle/config.json
    chmod 0755 . ..
}

test_crun_runs_it() {
    need crun
    make_bundle
    mkdir state
    # crun looks at no hybrid host's control groups
    if have root; then
        capture as_needed sh -c \
            "! [ -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified; exec crun run --bundle bundle hand-crun-$$"
    else
        capture as_needed sh -c "mount -t tmpfs none /sys/fs/cgroup &&
            exec crun --root '$PWD/state' --cgroup-manager=disabled run --bundle bundle hand-crun-$$"
    fi
    expect_status 7
}

test_runc_runs_it() {
    need runc
    if have root || have cgroup; then
        make_bundle
    else # runc does not run without the limits it is asked for
        make_bundle --set resources.memory= --set resources.cpus= --set resources.pids= --set resources.io-weight=
    fi
    capture runc --root "$PWD/state" run --bundle bundle "hand-runc-$$"
    expect_status 7
}

test_runsc_runs_it() {
    need runsc
    make_root
    local user=() here=(runsc --root "$PWD/state" --network=none)
    have root || user=(--user root) here=(as_needed "${here[@]}" --ignore-cgroups)
    cofferdam plan "${user[@]}" --bundle "$PWD/bundle" --image "dir:$PWD/root" -- sh -c 'touch /new && exit 7'
    capture "${here[@]}" run --bundle bundle "hand-runsc-$$"
    expect_status 7
}

# As the specification's own schema has it, which a package of Debian's carries.
test_the_schema_accepts_it() {
    need python3
    local schema=/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema status=0 python found='' file
    for python in python3 /usr/bin/python3; do # Debian's modules are for Debian's
        [ -n "$found" ] || ! "$python" -c 'import jsonschema' 2>/dev/null || found=$python
    done
    if [ -z "$found" ]; then
        echo 'needs Python'\''s jsonschema (python3-jsonschema)' >"$T/skip"
        exit 77
    fi
    if [ ! -e "$schema/config-schema.json" ]; then
        echo 'needs the runtime specification'\''s schema (golang-github-opencontainers-specs-dev)' >"$T/skip"
        exit 77
    fi
    make_root
    local n=0
    plan_one() {
        n=$((n + 1))
        cofferdam plan "$@" --bundle "$PWD/bundle-$n" --image "dir:$PWD/root" -- sh -c true
    }
    plan_one
    plan_one --user root --tty
    plan_one --network host --memory 128M --cpus 1.5 --pids 100 --set resources.io-weight=50
    plan_one --set isolation.read-only=yes --set isolation.capabilities=chown
    plan_one --mount "$PWD/root:/mnt/shown" --env A=B --workdir /bin
    local golden=()
    for file in "$SOURCE_DIR"/tests/golden/expected/oci/*.json; do
        case $file in */calls*) ;; *) golden+=("$file") ;; esac
    done
    [ "${#golden[@]}" -ge 28 ] || fail "golden documents: ${#golden[@]}"
    "$found" "$SOURCE_DIR/tests/system/schema.py" "$schema" bundle-*/config.json "${golden[@]}" || status=$?
    expect_equal "$status" 0 'misfits'
    # and it can refuse
    sed 's/"ociVersion": "[^"]*"/"ociVersion": 3/' bundle-1/config.json >broken.json
    ! "$found" "$SOURCE_DIR/tests/system/schema.py" "$schema" broken.json || fail 'a broken one was accepted'
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

# A file of that name is no runtime yet: each is asked, and has five seconds for it.
test_what_only_looks_like_a_runtime() {
    need userns
    mkdir -p bad/runsc
    printf '#!/bin/sh\necho no; exit 3\n' >bad/crun
    printf '#!/bin/sh\nexec /bin/sleep 1000\n' >bad/runc
    printf '#!/bin/sh\necho "no runtime at all"\n' >bad/says
    chmod 0755 . bad bad/crun bad/runc bad/says
    chmod a+x ..
    PATH=$PWD/bad LIBVIRT_AUTOSTART=0 capture "$COFFERDAM" doctor
    grep -qE '^ +it ends with 3$' "$T/out" || fail "crun: $(cat "$T/out")"
    grep -qE '^ +it does not answer$' "$T/out" || fail "runc: $(cat "$T/out")"
    grep -qE '^ +it is not installed$' "$T/out" || fail "runsc: $(cat "$T/out")"
    expect_out_has 'apt install runsc'
    refuses() {
        capture cofferdam run --set resources.limits=best-effort --runtime "$PWD/$1" -- true
        expect_status 125
        expect_err_has "$PWD/$1$2"
    }
    refuses bad ': it is no program'
    refuses none ': No such file'
    refuses bad/says ' has not said what it started'
    refuses bad/crun ' failed without a word'
}

run_tests "$@"
