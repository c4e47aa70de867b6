#!/usr/bin/env bash
# Domains that other programs made: what is asked of them beyond what every workload knows.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/system/machine.sh
. "$(dirname "$0")/machine.sh"
# shellcheck source=tests/system/libvirt-lib.sh
. "$(dirname "$0")/libvirt-lib.sh"

need_domain() { [ -x "$(dirname "$COFFERDAM")/cofferdam-domain" ] || { echo "needs a build with libvirt" >"$T/skip"; exit 77; }; }

# deaf SOCKET: where a libvirtd hangs that never says a word; its pid in DEAF.
deaf() {
    python3 -c 'import os, signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1] + ".new")
s.listen(100)
os.rename(sys.argv[1] + ".new", sys.argv[1])
signal.pause()' "$1" &
    DEAF=$!
    await 10 test -S "$1"
}
refused_at_once() {
    local begun=${EPOCHREALTIME/[.,]/}
    XDG_STATE_HOME=$PWD/state capture cofferdam ps
    [ $((${EPOCHREALTIME/[.,]/} - begun)) -lt 1500000 ]
}

# A libvirt that hangs is given two seconds, and nobody waits for it who has nothing to show.
test_a_list_that_fails_waits_for_nobody() {
    need_domain
    need python3
    deaf "$PWD/deaf"
    mkdir -p state/cofferdam
    : >state/cofferdam/workloads
    export LIBVIRT_DEFAULT_URI="qemu+unix:///session?socket=$PWD/deaf"
    await 5 refused_at_once
    expect_status 125
    expect_err_has "state/cofferdam/workloads"
    kill "$DEAF"
}

# What libvirt's own driver for tests has in a file; each connection begins with that anew.
test_snapshots_on_the_test_driver() {
    need_domain
    # without the domain in it libvirt warns on its standard error, and to go back to it is risky
    cat >tree.xml <<'XML'
<node><domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
<name>tree</name><memory>32768</memory><vcpu>1</vcpu><os><type>hvm</type></os>
<test:domainsnapshot><name>third</name><state>shutoff</state><creationTime>1500000200</creationTime>
<parent><name>second</name></parent><active>1</active></test:domainsnapshot>
<test:domainsnapshot><name>first</name><state>running</state><creationTime>1500000000</creationTime>
<memory snapshot='internal'/><active>0</active><domain type='test'><name>tree</name>
<uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid><memory>32768</memory><vcpu>1</vcpu><os><type>hvm</type></os>
</domain></test:domainsnapshot>
<test:domainsnapshot><name>second</name><state>shutoff</state><creationTime>1500000100</creationTime>
<parent><name>first</name></parent><active>0</active></test:domainsnapshot></domain></node>
XML
    export LIBVIRT_DEFAULT_URI=test://$PWD/tree.xml
    capture cofferdam domain snapshot list libvirt:tree
    expect_status 0
    expect_equal "$(sed 's/  [0-9]*d[0-9]*h//; s/ *$//' "$T/out" | tail -n 3 | tr -s ' ' | tr '\n' '|')" \
        "first internal memory -| - second internal files -| - third internal files current|" "the tree"
    capture cofferdam domain snapshot list --json libvirt:tree
    expect_out_has '"parent": "second"'
    capture cofferdam domain snapshot create libvirt:tree '<&>'
    expect_status 0
    expect_out '<&>'
    capture cofferdam domain snapshot create --json libvirt:tree
    expect_out_has '"name"'
    capture cofferdam domain snapshot create libvirt:tree first
    expect_status 125
    expect_err_has "it has a snapshot first already"
    for verb in revert rm; do
        capture cofferdam domain snapshot $verb libvirt:tree first
        expect_status 125
        expect_err_has "without a terminal it needs --force"
        capture cofferdam domain snapshot $verb --force libvirt:tree first
        expect_status 0
        capture cofferdam domain snapshot $verb --force libvirt:tree nothing
        expect_status 125
        expect_err_has "it has no snapshot nothing"
    done
    capture cofferdam domain snapshot rm --force --recursive libvirt:tree first
    expect_status 0
    capture cofferdam domain snapshot revert --force libvirt:tree second
    expect_status 125
    expect_err_has "rollback info"
    capture cofferdam domain snapshot revert --recursive libvirt:tree first
    expect_status 125
    expect_err_has "that option is not for it"
    capture cofferdam domain reset --force libvirt:tree
    expect_status 125
    capture cofferdam domain snapshot create tree
    expect_status 125
    expect_err_has "cofferdam snapshot"
}

disk_has() { qemu-io -f qcow2 -c "read -q -P $1 0 64k" theirs.qcow2 >/dev/null; }
disk_gets() { qemu-io -f qcow2 -c "write -q -P $1 0 64k" theirs.qcow2 >/dev/null; }
state_of() { virsh -c "$URI" domstate "$1" | head -n 1; }
snapshot_of() { cofferdam domain snapshot "$1" "${@:3}" libvirt:theirs "$2"; }

# Of its disk while it is off, of its memory too while it runs; virsh sees each of them.
test_snapshots_of_a_real_one() {
    need_libvirt
    need qemu-io
    export LIBVIRT_DEFAULT_URI=$URI
    qemu-img create -q -f qcow2 theirs.qcow2 1M
    virsh -c "$URI" define /dev/stdin >out <<XML
<domain type='qemu'><name>theirs</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$PWD/theirs.qcow2'/><target dev='hda' bus='ide'/></disk>
<serial type='pty'/></devices></domain>
XML
    disk_gets 1
    snapshot_of create cold >out
    disk_gets 2
    cofferdam domain start libvirt:theirs
    snapshot_of create warm >out
    expect_equal "$(virsh -c "$URI" snapshot-list theirs --name | sort | tr -d '\n')" coldwarm "what virsh sees"
    expect_equal "$(virsh -c "$URI" snapshot-current theirs --name)" warm "the current one"
    capture cofferdam domain snapshot list libvirt:theirs
    expect_out_has "- warm  internal  memory"
    snapshot_of revert cold --force
    expect_equal "$(state_of theirs)" "shut off" "back to the cold one"
    disk_has 1
    snapshot_of revert warm --force
    expect_equal "$(state_of theirs)" running "back to the warm one"
    cofferdam kill libvirt:theirs
    disk_has 2
    snapshot_of rm cold --force
    expect_equal "$(virsh -c "$URI" snapshot-list theirs --name | tr -d '\n')" warm "cold is gone"
    snapshot_of rm warm --force
    files_alone
    virsh -c "$URI" undefine theirs --snapshots-metadata >out
    await 10 no_domains
}
# What libvirt could take but never go back to is said before it is taken.
files_alone() {
    if cofferdam domain snapshot list --json libvirt:theirs | grep -q '"reverts_files": true'; then
        snapshot_of create files --files >out
        return
    fi
    capture snapshot_of create files --files
    expect_status 125
    expect_err_has "never go back to it"
    expect_equal "$(virsh -c "$URI" snapshot-list theirs --name | tr -d '\n')" "" "nothing was taken"
    snapshot_of create files --files --force >out
    capture cofferdam domain snapshot list libvirt:theirs
    expect_out_has "cannot be gone back to"
    capture snapshot_of revert files --force
    expect_status 125
    expect_err_has "cannot go back to files"
}

# A daemon that tells of an event and then answers no question more, though it keeps the connection alive: the rows of
# before are said to be of before.
test_a_watched_daemon_that_hangs_in_an_answer() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo "takes 35 s: --long" >"$T/skip"; exit 77; }
    need_libvirt
    need python3
    echoing theirs
    through
    "$COFFERDAM" domain watch >lines &
    WATCHER=$!
    trap 'kill $WATCHER $BETWEEN || :' EXIT
    await 10 grep -q 'through.*"theirs"' lines
    touch hold
    virsh -c "$URI" start theirs >out
    await 45 grep -q 'through.*"theirs".*its daemon hangs' lines
    rm hold
    await 20 grep -q 'through.*"theirs".*"running"' lines
    kill $WATCHER
    wait $WATCHER || :
    virsh -c "$URI" destroy theirs >out
    virsh -c "$URI" undefine theirs >out
}

# A daemon that lets nobody in: its rows stay, with the reason, and what is asked of them is answered at once.
test_a_libvirt_that_refuses() {
    need_libvirt
    need python3
    echoing theirs
    through
    trap 'kill $BETWEEN || :' EXIT
    capture cofferdam ps
    expect_out_has "libvirt:theirs"
    expect_err_empty
    kill $BETWEEN
    wait $BETWEEN || :
    python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1] + ".new")
s.listen(100)
os.rename(sys.argv[1] + ".new", sys.argv[1])
while True: s.accept()[0].close()' "$PWD/through" &
    BETWEEN=$!
    await 10 is_stale
    expect_err_has "its rows are the last ones known"
    capture cofferdam domain start libvirt:theirs
    expect_status 125
    expect_err_has "could not be asked"
    virsh -c "$URI" undefine theirs >out
}
is_stale() {
    capture cofferdam ps
    grep -q 'libvirt:theirs .*off?' out
}

# Writing a large memory takes its time, and is waited for: libvirt's own word comes late here.
test_a_save_that_takes_long() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo "takes 15 s: --long" >"$T/skip"; exit 77; }
    need_libvirt
    need python3 ps
    echoing theirs
    through 182 # REMOTE_PROC_DOMAIN_MANAGED_SAVE
    trap 'kill $BETWEEN || :' EXIT
    cofferdam domain start "libvirt:theirs@$LIBVIRT_DEFAULT_URI"
    touch hold
    cofferdam domain save "libvirt:theirs@$LIBVIRT_DEFAULT_URI" 2>err &
    SAVES=$!
    await 20 lives_for 12 "$SAVES"
    rm hold
    wait "$SAVES" || { cat err; fail "it was given up"; }
    virsh -c "$URI" dominfo theirs | grep -q "Managed save: *yes" || fail "it is not saved"
    virsh -c "$URI" managedsave-remove theirs >out
    virsh -c "$URI" undefine theirs >out
}
lives_for() { ! kill -0 "$2" 2>/dev/null || [ "$(ps -o etimes= -p "$2")" -ge "$1" ]; }

# The program that asks is not there for longer than whoever wants to know; libvirt does what it has begun.
test_who_asks_is_not_outlived() {
    need_libvirt
    need python3 pgrep
    echoing theirs
    through 9 # REMOTE_PROC_DOMAIN_CREATE
    trap 'kill $BETWEEN || :' EXIT
    touch hold
    "$COFFERDAM" domain start "libvirt:theirs@$LIBVIRT_DEFAULT_URI" 2>err &
    ASKS=$!
    await 10 has_asked $ASKS
    await 10 is_theirs running
    kill $ASKS
    wait $ASKS || :
    await 5 gone_pid "$(cat child)"
    rm hold
    is_theirs running || fail "it does not run on"
    if [ -n "${COFFERDAM_LONG:-}" ]; then # with no memory to be read it is not waited for as long
        virsh -c "$URI" destroy theirs >out
        touch hold
        capture timeout 180 "$COFFERDAM" domain start "libvirt:theirs@$LIBVIRT_DEFAULT_URI"
        rm hold
        expect_status 125
        expect_err_has "may do it later"
    fi
    virsh -c "$URI" destroy theirs >out
    virsh -c "$URI" undefine theirs >out
}
has_asked() { pgrep -P "$1" -f 'cofferdam-domain control' >child; }
is_theirs() { [ "$(virsh -c "$URI" domstate theirs)" = "$1" ]; }

# Nothing of ours begins with a daemon: that is said, with what does instead.
test_ours_do_not_begin_by_themselves() {
    capture cofferdam domain autostart mine
    expect_status 125
    expect_err_has "libvirt's daemon cannot begin what is ours"
    expect_err_has '"cofferdam domain start mine" after a "domain save"'
    capture cofferdam domain no-autostart mine
    expect_status 125
    expect_err_has "never begins by itself"
}

test_ours_have_a_verb_of_their_own() {
    need_libvirt
    export LIBVIRT_DEFAULT_URI=$URI
    vm --detach --name own >out
    await 10 says own "boot sector is here"
    capture cofferdam domain snapshot create "libvirt:$(domains)@$URI"
    expect_status 125
    expect_err_has "it is one of ours"
    cofferdam kill own
    await 15 all_gone
}

test_zy_the_daemon_goes() { daemon_goes; }

run_tests "$@"
