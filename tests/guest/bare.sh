#!/bin/sh
# On a machine with nothing but a pure v2 tree: limits of root, of a person with a delegated folder,
# and of one without.
TESTS=/opt/cofferdam/tests/guest
# shellcheck source=tests/guest/inside.sh
. $TESTS/inside.sh
# shellcheck source=tests/guest/limits.sh
. $TESTS/limits.sh

FOLDER=$CGROUP/people/person

root() { XDG_RUNTIME_DIR='' "$COFFERDAM" "$@"; }

# as_person GROUP COMMAND…: in that control group. Only root can put somebody into it.
as_person() {
    # shellcheck disable=SC2016
    sh -c 'echo 0 >"$0/cgroup.procs"; exec /usr/bin/setpriv --reuid 1000 --regid 1000 --clear-groups \
        env -i PATH=$PATH HOME=/home/person XDG_RUNTIME_DIR=/run/person "$@"' "$@"
}
person() { as_person "$CGROUP/elsewhere" "$COFFERDAM" "$@"; }
delegated() { as_person "$FOLDER/shell" "$COFFERDAM" "$@"; }

# As a service manager hands a subtree over, see cgroups(7), "Cgroups delegation".
delegate() {
    mkdir -p "$CGROUP/elsewhere" "$FOLDER" /run/person
    chown 1000:1000 /run/person
    chmod 0700 /run/person
    for group in "$CGROUP" "$CGROUP/people"; do
        echo '+memory +pids +cpu +io' >"$group/cgroup.subtree_control"
    done
    for file in . cgroup.procs cgroup.subtree_control cgroup.threads; do
        chown 1000:1000 "$FOLDER/$file"
    done
    /usr/bin/setpriv --reuid 1000 --regid 1000 --clear-groups mkdir -p "$FOLDER/shell"
}

test_all_controllers_are_here() {
    for name in memory pids cpu io; do
        grep -qw $name $CGROUP/cgroup.controllers || fail "no $name"
    done
    [ -e /proc/pressure/cpu ] || fail "no pressure numbers"
}

test_root_doctor() {
    capture root doctor
    expect_status 0
    expect_out_has 'control groups, version 2: '
    expect_out_has memory
}

# Where the host has no cmocka there is no such program.
test_root_unit_tests() {
    [ -x /opt/cofferdam/tests/unit_cgroup ] || skip "needs cmocka"
    /opt/cofferdam/tests/unit_cgroup
}
test_root_memory() { memory_holds root; }
test_root_memory_ends_all() { memory_ends_all root; }
test_root_pids() { pids_hold root; }
test_root_cpus() { cpus_hold root; }
test_root_pause() { pause_stands_still root; }
test_root_numbers() { numbers_are_the_kernels root; }
test_root_pressure() { pressure_is_told root; }
test_root_kill() { kill_reaches_all root; }
test_root_dead_monitor() { a_dead_monitor_is_cleaned_up root; }
test_root_out_of_reach_inside() { out_of_reach_inside root; }

test_root_io_weight() {
    start root heavy --set resources.io-weight=250 -- sleep 1000
    grep -qx 'default 250' "$GROUP/io.weight" || fail "io.weight: $(cat "$GROUP/io.weight")"
    end root heavy
}

# A pure v2 tree has no list of allowed devices: nodes cannot be made and those of the host stay shut.
test_root_no_device_but_ours() {
    mknod -m 0666 /opt/zero c 1 5
    mknod -m 0666 /opt/port c 1 4
    dd if=/opt/zero of=/dev/null bs=1 count=1
    for who in root person; do
        for more in "" "--mount /opt:/mnt" "--set isolation.capabilities=mknod"; do
            # shellcheck disable=SC2086,SC2016
            capture $who run $more -- sh -c '
                for node in /opt/zero /opt/port /mnt/zero; do
                    (: <$node) 2>/dev/null && echo "OPENED $node"
                done
                for folder in /tmp /dev /dev/shm; do
                    mknod $folder/mine c 1 5 2>/dev/null && (: <$folder/mine) && echo "MADE one in $folder"
                done
                (: </dev/zero) && ls /dev'
            expect_status 0
            expect_out_has zero
            expect_out_lacks OPENED
            expect_out_lacks MADE
        done
    done
    rm /opt/zero /opt/port
}

test_person_without_a_folder_is_refused() {
    # shellcheck disable=SC2086
    capture person run $STRICT --memory 32M -- true
    expect_status 125
    expect_err_has 'resources.memory cannot be kept'
    expect_err_has 'best-effort'
    nothing_of_ours || fail "something was made"
}

test_person_without_a_folder_is_told_what_is_missing() {
    capture person run --name loose --keep always --memory 64M --pids 20 -- true
    expect_status 0
    capture person report loose
    expect_out_has 'resources.memory is not enforced'
    capture person rm --force loose
    capture person doctor
    expect_out_has 'none can be had'
}

test_delegated_doctor() {
    capture delegated doctor
    expect_status 0
    expect_out_has 'control groups, version 2: '
}

test_delegated_unit_tests() {
    [ -x /opt/cofferdam/tests/unit_cgroup ] || skip "needs cmocka"
    as_person "$FOLDER/shell" /opt/cofferdam/tests/unit_cgroup
}
test_delegated_memory() { memory_holds delegated; }
test_delegated_memory_ends_all() { memory_ends_all delegated; }
test_delegated_pids() { pids_hold delegated; }
test_delegated_cpus() { cpus_hold delegated; }
test_delegated_pause() { pause_stands_still delegated; }
test_delegated_numbers() { numbers_are_the_kernels delegated; }
test_delegated_kill() { kill_reaches_all delegated; }
test_delegated_dead_monitor() { a_dead_monitor_is_cleaned_up delegated; }
test_delegated_out_of_reach_inside() { out_of_reach_inside delegated; }

# With processes of its own in it a folder cannot have controllers for others, see cgroups(7).
test_delegated_but_occupied_is_refused() {
    echo '-memory -pids -cpu -io' >"$FOLDER/cgroup.subtree_control" || :
    # shellcheck disable=SC2086
    capture as_person "$FOLDER" "$COFFERDAM" run $STRICT --memory 32M -- true
    expect_status 125
    expect_err_has 'resources.memory'
    nothing_of_ours || fail "something was made"
}

delegate
run_tests
