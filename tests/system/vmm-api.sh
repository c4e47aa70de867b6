# shellcheck shell=bash
# What is proved of every program that is driven through an HTTP API, against the stand-in for it with its made-up
# guest. A script sets VMM (its name), WORDS (its first arguments), REQUESTS (the paths of a start, in their order),
# FAULT (how it says a made-up fault), FILTERS (of system calls: its own and ours), WRITES (files it may write beside), CLONING (as REQUESTS, of a clone), SAVING (the path of a snapshot) and OWN (tests of its own), and sources this.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"

fake() { fake_vmm "$VMM" "$@"; }
fc() { faked "$VMM" "$@"; }

vmm_of_this() { pgrep -f "$PWD/bin/$VMM $WORDS" | head -n 1; }
nothing_runs() { ! pgrep -f "$PWD/bin/$VMM $WORDS" >pids; }
is_running() { cofferdam ps 2>/dev/null | grep -q "$1 *running"; }

test_a_command() {
    fake
    capture fc -- echo one two
    expect_status 0
    expect_out "one two"
    capture fc -- exit 7
    expect_status 7
    capture fc -- /nope
    expect_status 127
    echo through >in
    [ "$(fc -- cat <in)" = through ] || fail "not what went in"
    await 5 nothing_runs
}

test_rates_of_the_disk() {
    fake
    capture fc --set machine.disk-bandwidth=1M --set machine.disk-operations=100 -- echo slow
    expect_status 0
    expect_out slow
    capture cofferdam plan --boundary microvm --runtime qemu --image small --set machine.disk-operations=100 -- true
    expect_out_has "machine.disk-operations: QEMU is not told to keep it"
}

# Further disks are the host's files, each to read alone, whatever its guest writes elsewhere.
test_further_disks() {
    [ -x /usr/sbin/mke2fs ] || need mke2fs
    local n
    fake
    head -c 65536 /dev/urandom >"$T/one.img"
    head -c 4096 /dev/zero >"$T/the second.img"
    chmod 600 "$T"/*.img
    further() { fc --set "machine.disk=\"$T/one.img\" \"$T/the second.img\"" "$@"; }
    capture further -- echo read
    expect_status 0
    expect_out read
    capture further --set machine.scratch=disk --set resources.disk=64M -- echo both
    expect_status 0
    expect_out both
    further --detach --name reading -- sleep 600 >id
    PID=$(vmm_of_this)
    if [ "$(id -u)" = 0 ]; then
        cmp "/proc/$PID/root/disk1" "$T/one.img" || fail "another file"
        cmp "/proc/$PID/root/disk2" "$T/the second.img" || fail "another file"
        for n in 1 2; do
            grep -q " /disk$n ro,nosuid,nodev" "/proc/$PID/mountinfo" || fail "not to be read alone"
        done
    fi
    capture cofferdam snapshot create reading --name of-reading
    expect_status 125
    expect_err_has "no snapshot of it can be taken"
    cofferdam kill reading
    if [ "$(id -u)" = 0 ]; then # what is root's is lent to the program, what is another's is not
        chown 1000 "$T/one.img"
        capture further -- true
        expect_status 125
        expect_err_has "one.img is not your own"
        expect_err_has "--runtime qemu"
    fi
    capture fc --set "machine.disk=$T/none.img" -- true
    expect_status 125
    expect_err_has none.img
    await 5 nothing_runs
}

# What its guest changes goes to a second disk, without a name on the host; that fails, and leaves nothing.
test_a_scratch_disk() {
    [ -x /usr/sbin/mke2fs ] || need mke2fs
    local n left
    fake
    scratch() { fc --set machine.scratch=disk --set resources.disk=64M "$@"; }
    scratch --detach --name disked -- sleep 600 >id
    expect_equal "$(find "$XDG_CACHE_HOME/cofferdam/disks" -name '*.brief')" "" "names of files to write"
    PID=$(vmm_of_this)
    if [ "$(id -u)" = 0 ]; then
        expect_equal "$(stat -c %s "/proc/$PID/root/scratch.img")" $((64 << 20)) "bytes of the disk"
        grep -q " /scratch.img rw,nosuid,nodev,noexec" "/proc/$PID/mountinfo" || fail "not to be written, or more than that"
    fi
    cofferdam kill disked
    for n in 1 2; do # a template is of a disk nobody has written to
        capture scratch --set machine.warm=yes -- echo "$n"
        expect_status 0
        expect_out "$n"
    done
    for n in "${!REQUESTS[@]}"; do
        fake "die=$((n + 1))"
        capture scratch -- true
        expect_status 125
        await 5 nothing_runs
        left=$(find "$XDG_CACHE_HOME/cofferdam/disks" -name '*.brief')
        expect_equal "$left" "" "names of files to write"
    done
}

# The disk is in the snapshot as it was when the machine stood still, and each clone has one of its own.
marked() { [ "$(id -u)" != 0 ] || expect_equal "$(dd if="$1" bs=1 skip=1048576 count=6 2>/dev/null)" "$2" "on the disk of $1"; }
test_a_snapshot_of_a_disk() {
    [ -x /usr/sbin/mke2fs ] || need mke2fs
    local disk n
    fake
    disk_of() { echo "/proc/$(pgrep -f "$PWD/bin/$VMM $WORDS" | tail -n 1)/root/scratch.img"; }
    mark() { [ "$(id -u)" != 0 ] || printf %s "$2" | dd of="$1" bs=1 seek=1048576 conv=notrunc 2>/dev/null; }
    fc --set machine.scratch=disk --set resources.disk=64M --detach --name disked -- sleep 600 >id
    disk=$(disk_of)
    mark "$disk" before
    capture cofferdam snapshot create disked --name of-disked
    expect_status 0
    mark "$disk" behind
    expect_equal "$(stat -c %s "$(snapshot_files)/scratch")" $((64 << 20)) "bytes of the disk"
    [ "$(stat -c %b "$(snapshot_files)/scratch")" -lt 65536 ] || fail "its holes are filled"
    marked "$(snapshot_files)/scratch" before
    capture cofferdam exec disked -- echo on
    expect_out on
    for n in 1 2; do
        capture cofferdam clone of-disked
        expect_status 0
        capture cofferdam exec "disked-$n" -- echo "$n"
        expect_out "$n"
        marked "$(disk_of)" before
        mark "$(disk_of)" "clone$n"
    done
    marked "$disk" behind
    capture cofferdam snapshot create disked-2 --name again # of what has changed, where that can be told
    expect_status 0
    cofferdam kill disked disked-1 disked-2
    cofferdam snapshot restore again >out
    marked "$(disk_of)" clone2
    cofferdam kill disked-2
    await 5 nothing_left
    expect_equal "$(find "$XDG_CACHE_HOME/cofferdam/disks" -name '*.brief')" "" "names of files to write"
    for n in 1 2 3; do # refused, or it dies: nothing of the disk stays
        fake "create=$n"
        fc --set machine.scratch=disk --set resources.disk=64M --detach --name "dies-$n" -- sleep 600 >ids
        capture cofferdam snapshot create "dies-$n" --name "none-$n"
        expect_status 125
        cofferdam kill "dies-$n" >out 2>&1 || :
        await 5 nothing_left
        capture cofferdam snapshot list
        expect_out_lacks "none-$n"
    done
    cofferdam snapshot rm --force --recursive of-disked again
}

test_every_refusal_is_one_sentence() {
    local n
    for n in "${!REQUESTS[@]}"; do
        fake "fault=$((n + 1))"
        capture fc -- true
        expect_status 125
        expect_err_has "${REQUESTS[n]}: $FAULT"
        expect_equal "$(wc -l <err)" 1 "lines"
        await 5 nothing_runs
    done
}

test_death_at_every_step_leaves_nothing() {
    local n
    for n in "${!REQUESTS[@]}"; do
        fake "die=$((n + 1))"
        capture fc -- true
        expect_status 125
        expect_err_has "$VMM ended with status 1"
        await 5 nothing_runs
        expect_equal "$(find "$XDG_RUNTIME_DIR/cofferdam" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*' | wc -l)" 0 "runtime folders"
        capture cofferdam ps -a
        expect_out_lacks microvm
    done
}

test_a_guest_that_never_calls() {
    fake mute=1
    capture fc --time-limit 2s -- true
    expect_status 125
    expect_err_has "has not answered"
    await 5 nothing_runs
}

test_exec_pause_signals() {
    fake
    ID=$(fc --detach --name worker -- sleep 600)
    capture cofferdam exec worker -- echo in
    expect_status 0
    expect_out in
    cofferdam pause worker
    capture cofferdam ps
    expect_out_has paused
    cofferdam resume worker
    capture cofferdam exec worker -- exit 3
    expect_status 3
    capture cofferdam inspect worker
    expect_out_has power
    was_booted worker || fail "its kernel has said nothing"
    capture cofferdam stop worker
    await 5 nothing_runs
    capture cofferdam ps -a
    expect_out_lacks "$ID"
}

# Its guest is asked for memory, and gets it back; processors are the control group's.
test_update() {
    fake
    fc --detach --name worker -- sleep 600 >id
    given_up() { cofferdam logs --kernel worker | tr -d '\r' | grep -q "balloon: $1 MiB given up"; }
    capture cofferdam update --memory 128M worker
    expect_status 0
    await 5 given_up 64
    capture cofferdam update --memory 192M worker
    expect_status 0
    await 5 given_up 0
    capture cofferdam update --memory 256M worker
    expect_status 125
    expect_err_has "memory: the guest was started with 192 MiB, and no more"
    capture cofferdam update --memory 16M worker
    expect_status 125
    expect_err_has "leave a guest nothing to run in"
    capture cofferdam update --pids 10 worker
    expect_status 125
    expect_err_has "the guest's own kernel counts its processes"
    capture cofferdam exec worker -- echo on
    expect_out on
    cofferdam kill worker
    await 5 nothing_runs
}

# What it was taken of had given memory up: a clone has all of its own.
test_a_clone_has_all_its_memory() {
    fake
    fc --detach --name worker -- sleep 600 >id
    capture cofferdam update --memory 128M worker
    expect_status 0
    capture cofferdam snapshot create worker --name less
    expect_status 0
    cofferdam clone less >out
    got_back() { cofferdam logs --kernel worker-1 | tr -d '\r' | grep -q "balloon: 0 MiB given up"; }
    await 5 got_back
    cofferdam kill worker worker-1
    cofferdam snapshot rm --force less
    await 5 nothing_left
}

# It starts all the same, and says so.
test_a_clone_that_gets_no_memory_back() {
    fake
    fc --keep always --detach --name first -- sleep 600 >ids
    cofferdam snapshot create first --name mem >out
    cofferdam kill first
    cp -p "bin/$VMM" whole
    sed "s/;fault=00;/;fault=0$((${#CLONING[@]} + 1));/" whole >"bin/$VMM"
    touch -r whole "bin/$VMM"
    capture cofferdam clone mem
    expect_status 0
    cofferdam kill first-1
    capture cofferdam report first-1
    expect_out_has "memory it had been asked for is not given back: "
    expect_out_has "made up"
    cofferdam rm --force first first-1 >out
    cofferdam snapshot rm --force mem
    await 5 nothing_left
}

test_the_jail() {
    fake
    fc --detach --name jailed -- sleep 600 >id
    PID=$(vmm_of_this)
    [ -n "$PID" ] || fail "no $VMM"
    if [ "$(id -u)" = 0 ]; then
        [ "$(awk '/^Uid:/ { print $2 }' "/proc/$PID/status")" != 0 ] || fail "it is root"
        for ns in user mnt pid net ipc uts cgroup; do
            [ "$(readlink "/proc/$PID/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ] || fail "the host's $ns namespace"
        done
        expect_equal "$(awk '$4 ~ /^rw/ { print $2 }' "/proc/$PID/mounts" | grep -v '^/dev/' | sort | tr '\n' ' ')" "/run$WRITES " "writable mounts"
        expect_equal "$(find "$XDG_CACHE_HOME/cofferdam/disks" -name '*.brief')" "" "names of files to write"
        expect_equal "$(ls "/proc/$PID/root/run" | tr '\n' ' ')" "api.sock metrics vsock vsock_1024 " "its sockets"
    fi
    expect_equal "$(awk '/^CapEff:/ { print $2 }' "/proc/$PID/status")" 0000000000000000 CapEff
    expect_equal "$(awk '/^CapBnd:/ { print $2 }' "/proc/$PID/status")" 0000000000000000 CapBnd
    expect_equal "$(awk '/^NoNewPrivs:/ { print $2 }' "/proc/$PID/status")" 1 NoNewPrivs
    expect_equal "$(awk '/^Seccomp_filters:/ { print $2 }' "/proc/$PID/status")" "$FILTERS" "filters of system calls"
    expect_equal "$(awk '/^Seccomp:/ { print $2 }' "/proc/$PID/status")" 2 Seccomp
    cofferdam kill jailed
    await 5 nothing_runs
}

# What it counts from line to line is summed up.
test_its_metrics_are_in_stats() {
    fake
    fc --detach --name counted -- sleep 600 >id
    capture cofferdam stats --json counted
    expect_status 0
    python3 -c '
import json, sys
s = json.load(open(sys.argv[1]))["stats"][0]
assert s["guest_read"] >= 4096 and s["guest_read"] % 4096 == 0, s
assert s["guest_write"] == 0 and s["guest_in"] * 7 == s["guest_out"] * 5 > 0, s
# its guest boasts: no more is shown than the machine has
assert s["guest_says_memory"] == s["guest_says_available"] == 192 << 20, s' out || fail "not what was counted"
    cofferdam kill counted
    await 5 nothing_runs
}

test_kill_9_of_it() {
    fake
    fc --name victim -- sleep 600 >out 2>err &
    CLIENT=$!
    await 20 is_running victim
    kill -9 "$(vmm_of_this)"
    STATUS=0
    wait $CLIENT || STATUS=$?
    expect_equal "$STATUS" 137 status
    grep -q "$VMM was killed by signal 9" err || { cat err; fail "not said"; }
    await 5 nothing_runs
}

# Another program than the one the plan was made for answers.
test_a_version_that_has_changed() {
    fake
    sed -i "s/^version .*/version $OTHER/" "$XDG_CACHE_HOME/cofferdam/machine/$VMM"
    capture fc -- true
    expect_status 125
    expect_err_has "now, the plan was made for $OTHER"
}

snapshot_files() { echo "$XDG_STATE_HOME/cofferdam/snapshots/$(cofferdam snapshot list --quiet | head -n 1)/files"; }

# A machine, its snapshot and clones of that, through the API: what runs goes on, in each under its own name.
clones() {
    fc --detach --name first -- sleep 600 >ids
    cofferdam exec first -- echo in >out
    capture cofferdam snapshot create first --name mem
    expect_status 0
    expect_out_has "files and memory of first"
    capture cofferdam exec first -- echo on # over another connection
    expect_out on
    [ "$(stat -c %s "$(snapshot_files)/memory")" = $((192 << 20)) ] || fail "not its memory"
    [ "$(stat -c %b "$(snapshot_files)/memory")" -lt 3000 ] || fail "the holes are filled"
    expect_equal "$(stat -c %a "$XDG_STATE_HOME/cofferdam/snapshots")" 700 "mode of the folder"
    capture cofferdam clone mem --number 2
    expect_status 0
    for n in 1 2; do
        capture cofferdam exec "first-$n" -- echo "$n"
        expect_status 0
        expect_out "$n"
    done
    capture cofferdam snapshot create first-2 --name again # of a clone
    expect_status 0
    cofferdam pause first
    capture cofferdam snapshot create first --name still
    expect_status 0
    capture cofferdam ps
    expect_out_has paused
    cofferdam resume first
    cofferdam kill first first-1 first-2
    cofferdam snapshot restore again >out
    capture cofferdam exec first-2 -- echo back
    expect_out back
    cofferdam kill first-2
    await 5 nothing_left
    cofferdam snapshot rm --force --recursive mem again still
    expect_equal "$(find "$XDG_STATE_HOME/cofferdam/snapshots" -name memory)" "" "what is left"
}
nothing_left() { ! pgrep -f "$PWD/bin/$VMM|^/firecracker --id" >pids; }
test_clones() {
    fake
    clones
}
test_death_at_every_step_of_a_clone() {
    local n
    fake
    fc --detach --name first -- sleep 600 >ids
    cofferdam snapshot create first --name mem >out
    cofferdam kill first
    cp -p "bin/$VMM" whole
    for n in $(seq ${#CLONING[@]}); do
        sed "s/;die=00;/;die=0$n;/" whole >"bin/$VMM"
        touch -r whole "bin/$VMM"
        capture cofferdam clone mem
        expect_status 125
        expect_err_has "$VMM ended with status 1"
        await 5 nothing_left
        sed "s/;fault=00;/;fault=0$n;/" whole >"bin/$VMM"
        touch -r whole "bin/$VMM"
        capture cofferdam clone mem
        expect_status 125
        expect_err_has "${CLONING[n - 1]}: "
        expect_err_has "made up ("
        expect_equal "$(wc -l <err)" 1 "lines"
        await 5 nothing_left
        expect_equal "$(find "$XDG_RUNTIME_DIR/cofferdam" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*' | wc -l)" 0 "runtime folders"
    done
    cofferdam snapshot rm --force mem
}

# What is refused, and a program that dies of it: no snapshot, and the guest goes on while it can.
test_a_snapshot_that_fails() {
    fake create=1
    fc --detach --name first -- sleep 600 >ids
    capture cofferdam snapshot create first --name mem
    expect_status 125
    expect_err_has "PUT $SAVING: $FAULT"
    capture cofferdam exec first -- echo on
    expect_out on
    capture cofferdam snapshot create first --name mem
    expect_status 0
    cofferdam snapshot rm --force mem
    cofferdam kill first
    for n in 2 3 4; do
        fake "create=$n"
        fc --detach --name "dies-$n" -- sleep 600 >ids
        capture cofferdam snapshot create "dies-$n" --name mem
        expect_status 125
        await 5 nothing_left
        expect_equal "$(cofferdam snapshot list --quiet)" "" "snapshots"
        expect_equal "$(find "$XDG_STATE_HOME/cofferdam/snapshots" -mindepth 1 2>/dev/null)" "" "what is left of it"
    done
}

test_warm() {
    fake
    warm() { fc --set machine.warm=yes "$@"; }
    capture warm -- echo one
    expect_out one
    expect_equal "$(find "$XDG_CACHE_HOME/cofferdam/templates" -name memory | wc -l)" 1 templates
    warm --detach --name two -- sleep 600 >ids
    was_not_booted two
    capture cofferdam exec two -- echo in
    expect_out in
    cofferdam kill two
    find "$XDG_CACHE_HOME/cofferdam/templates" -name state -exec chmod u+w {} + -exec truncate -s 8 {} + # a help, and no condition
    capture warm -- echo three
    expect_out three
    await 5 nothing_left
}

# Whoever is struck on the way: nothing runs, and prune leaves nothing, no file to write either.
after_strike() {
    local left
    cofferdam kill "$(cofferdam ps --quiet 2>/dev/null)" >/dev/null 2>&1 || :
    await 10 nothing_left || complain "$1" "it runs"
    cofferdam prune --force >/dev/null 2>errors || complain "$1" "prune: $(cat errors)"
    left=$(find "$XDG_CACHE_HOME/cofferdam/disks" -name '*.brief'; find "$XDG_RUNTIME_DIR/cofferdam" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*')
    [ -z "$left" ] || complain "$1" "left behind: $left"
}
struck() { # ARGUMENT…
    # shellcheck source=tests/system/strikes.sh
    . "$SYSTEM_DIR/strikes.sh"
    fake
    set -- run --boundary microvm --runtime "$PWD/bin/$VMM" --image small --memory 192M --cpus 1 "$@" -- true
    capture cofferdam "$@" # makes the template
    expect_status 0
    strikes_begin
    sweep 197 kill "monitor child" -- "$@"
    sweep 307 tree any -- "$@"
    strikes_end 5
}
test_struck_at_a_start() { struck; }
test_struck_at_a_clone() { struck --set machine.warm=yes; }

# shellcheck disable=SC2034 # read by run_tests
TESTS="$OWN $(sed -n 's/^\(test_[a-z0-9_]*\)() *{.*/\1/p' "${BASH_SOURCE[0]}")"
run_tests "$@"
