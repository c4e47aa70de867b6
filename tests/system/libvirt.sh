#!/bin/bash
# Whole machines through a libvirtd of the test's own: the session's as a user, the system's as root.
# The guest is a boot sector that is no Linux: it echoes its serial line, "n" counts, "q" switches off.
# shellcheck source=tests/screen/lib.sh
. "$(dirname "$0")/../screen/lib.sh"
# shellcheck source=tests/system/machine.sh
. "$(dirname "$0")/machine.sh"
# shellcheck source=tests/system/libvirt-lib.sh
. "$(dirname "$0")/libvirt-lib.sh"

test_it_boots_what_is_no_linux() {
    need_libvirt
    boots_at "$URI"
    await 10 all_gone
}

test_both_sides_see_it() {
    need_libvirt
    ID=$(vm --detach --name both)
    expect_equal "$(domains)" "cofferdam-$ID" domain
    virsh -c "$URI" dumpxml "cofferdam-$ID" >xml
    grep -q "<title>both</title>" xml
    grep -q "cofferdam:workload.*id='$ID'\\|cofferdam:workload.*id=\"$ID\"" xml || fail "not marked"
    cofferdam pause both
    expect_equal "$(virsh -c "$URI" domstate "cofferdam-$ID" | head -n 1)" paused "libvirt's state"
    cofferdam resume both
    virsh -c "$URI" suspend "cofferdam-$ID" >out
    await 5 state_is both paused
    virsh -c "$URI" resume "cofferdam-$ID" >out
    await 5 state_is both running
    capture cofferdam stats --json both
    expect_out_has memory
    await 5 says both "boot sector is here"
    virsh -c "$URI" destroy "cofferdam-$ID" >out
    await 10 all_gone
}
state_is() { cofferdam ps 2>/dev/null | grep -q "$1 *$2"; }

test_stop_and_kill() {
    need_libvirt
    vm --detach --name one >out
    capture cofferdam stop --time 1s one # it knows no ACPI
    expect_status 0
    vm --detach --name two >out
    capture cofferdam kill two
    expect_status 0
    ID=$(vm --detach --name three --keep always)
    await 10 says three "boot sector is here"
    type_to three q
    await 10 state_is_exited three
    expect_file "$XDG_STATE_HOME/cofferdam/workloads/$ID/scratch/disk0.qcow2"
    no_folders_away || fail "its other folder is left"
    cofferdam rm -f three
    await 10 all_gone
}
no_folders_away() { [ -z "$(ls -A "$XDG_STATE_HOME/cofferdam-libvirt/machines" 2>/dev/null)" ]; }
state_is_exited() { cofferdam ps -a | grep -q "$1 *exited 0"; }

# What a kept one gets back goes on where an earlier turn was cut off, and stays where it cannot.
test_its_disks_come_back() {
    need virsh
    local domain id=0123456789ab kept away
    domain=$(dirname "$COFFERDAM")/cofferdam-domain
    [ -x "$domain" ] || { echo "needs a build with libvirt" >"$T/skip"; exit 77; }
    kept=$PWD/cofferdam/workloads/$id/scratch away=$PWD/cofferdam-libvirt/machines/$id
    give_back() { "$domain" undo test:///default "$id" "$away"; }
    mkdir -p "$kept" "$away/own"
    echo first >"$kept/disk0.qcow2" # moved before
    echo second >"$away/disk1.qcow2"
    echo third >"$away/disk12.qcow2"
    echo other >"$away/disk.qcow2"
    give_back
    expect_equal "$(cat "$kept/disk0.qcow2" "$kept/disk1.qcow2" "$kept/disk12.qcow2")" $'first\nsecond\nthird' "the disks"
    expect_no_file "$kept/disk.qcow2"
    expect_no_file "$away"
    # where it belongs cannot be opened: nothing is lost
    mkdir -p "$away"
    echo fourth >"$away/disk0.qcow2"
    mv "$kept" elsewhere
    ln -s "$PWD/elsewhere" "$kept"
    capture give_back
    expect_status 1
    expect_err_has "workloads/$id/scratch"
    expect_equal "$(cat "$away/disk0.qcow2")" fourth "the disk"
    # another file system
    rm "$kept"
    mkdir "$kept"
    if have root; then
        unshare --mount --propagation private bash -ec \
            'mount -t tmpfs none "$1"; "$2" undo test:///default "$3" "$4"; cat "$1/disk0.qcow2"; ls "$1"' \
            bash "$kept" "$domain" "$id" "$away" >out
        expect_equal "$(cat out)" $'fourth\ndisk0.qcow2' "what was carried over"
        expect_no_file "$away"
    fi
    # not kept
    mkdir -p "$away"
    echo fifth >"$away/disk0.qcow2"
    rmdir "$kept"
    give_back
    expect_no_file "$away"
}

test_refused() {
    need_libvirt
    capture cofferdam run --boundary vm -- true
    expect_status 125
    expect_err_has "disk:PATH"
    capture vm -- true
    expect_status 125
    expect_err_has "no"
    capture vm --set machine.gpu=passthrough
    expect_status 125
    expect_err_has "machine.gpu"
    capture vm --set machine.uri=xen:///system
    expect_status 125
    expect_err_has "QEMU alone"
    capture vm --set machine.uri=qemu+tcp://elsewhere/system
    expect_status 125
    expect_err_has "encrypted"
    capture vm --set machine.uri=qemu+tls://elsewhere/system --set machine.display=window
    expect_status 125
    expect_err_has "machine.display"
    capture vm --network private
    expect_status 125
    capture vm --set "machine.uri=qemu+unix:///system?socket=$PWD/nowhere"
    expect_status 125
    expect_err_has "nowhere"
    await 10 all_gone
}

test_its_screen() {
    need_libvirt
    mkdir bin
    printf '#!/bin/sh\necho "$@"\n' >bin/remote-viewer
    chmod 0755 bin/remote-viewer
    ID=$(vm --detach --name seen --set machine.display=window)
    capture env PATH="$PWD/bin:$PATH" "$COFFERDAM" view seen
    expect_status 0
    expect_out "vnc+unix://$XDG_RUNTIME_DIR/cofferdam/$ID/screen"
    expect_equal "$(python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print(s.recv(3).decode())' "$XDG_RUNTIME_DIR/cofferdam/$ID/screen")" RFB "what answers there"
    cofferdam kill seen
    await 10 all_gone
    vm --detach --name blind >out
    capture cofferdam view blind
    expect_status 125
    expect_err_has "machine.display=window"
    cofferdam kill blind
    await 10 all_gone
}

install() {
    cofferdam install --accel tcg --set "machine.uri=$URI" --memory 32M --size 8M "$@"
}

# A system from a CD onto a disk that was not there, at its console; it boots afterwards.
test_a_system_is_installed() {
    need_libvirt
    need python3
    boot_cd >cd.iso
    capture install cd.iso "$RUN/disk"
    expect_status 125
    expect_err_has "is there already"
    capture install cd.iso "$PWD/nowhere/new.disk"
    expect_status 125
    expect_err_has nowhere
    capture install none.iso new.disk
    expect_status 125
    expect_err_has none.iso
    capture vm --set machine.install=yes
    expect_status 125
    expect_err_has "there is no CD"
    await 10 all_gone
    for board in pc q35; do
        install --set machine.type=$board --detach --name installs cd.iso $board.disk >out 2>err
        await 20 says installs "i installs"
        expect_no_file $board.disk
        capture cofferdam snapshot create installs
        expect_status 125
        type_to installs i
        await 15 all_gone
        expect_file $board.disk
    done
    cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --set machine.type=pc --memory 32M \
        --image disk:./pc.disk --detach --name installed >out
    await 10 says installed "boot sector is here"
    type_to installed q
    await 15 all_gone
    # at a terminal of one's own, with its screen in a window
    printf 'i' >typed
    STATUS=0
    timeout 60 "$COFFERDAM" install --accel tcg --set "machine.uri=$URI" --memory 32M --set machine.type=pc --size 8M \
        --set console.terminal=no --set machine.display=window cd.iso "./with space.disk" <typed >out 2>err || STATUS=$?
    expect_equal "$STATUS" 0 status
    grep -q "cofferdam view" err || { cat err; fail "its screen is not told of"; }
    grep -q installed out || { cat out; fail "it has not spoken"; }
    expect_file "with space.disk"
    # nothing stays of one that was killed, and nothing is overwritten
    install --set machine.type=pc --detach --name killed cd.iso killed.disk >out 2>err
    await 20 says killed "i installs"
    cofferdam kill killed
    await 15 all_gone
    expect_no_file killed.disk
    ID=$(install --set machine.type=pc --detach --name late cd.iso late.disk 2>err)
    await 20 says late "i installs"
    echo mine >late.disk
    type_to late i
    await 15 all_gone
    expect_equal "$(cat late.disk)" mine "what was put there meanwhile"
    expect_file "late.disk.$ID"
}

# The same from the interface: the launch sheet's file is the CD.
test_a_system_is_installed_from_the_interface() {
    need_libvirt
    need python3 tmux
    boot_cd >cd.iso
    mkdir -p "$XDG_CONFIG_HOME/cofferdam/profiles"
    printf '[profile]\ninherit = contained\n[machine]\nuri = %s\naccel = tcg\ntype = pc\n[resources]\nmemory = 32M\n' \
        "$URI" >"$XDG_CONFIG_HOME/cofferdam/profiles/cds.ini"
    screen_start 100 40 cofferdam
    see "no workloads"
    screen_keys o
    see "< contained >"
    screen_type "./cd.iso"
    screen_keys Enter
    see "advice: "
    screen_keys Down
    until screen_has "< cds >"; do
        screen_keys Right
        see "<"
    done
    until screen_has ">install to"; do screen_keys Down && see ">"; done
    screen_type "./new.disk 8M"
    screen_keys Enter
    see "i installs"
    screen_keys i
    see "installed"
    await 15 all_gone
    expect_file new.disk
    screen_keys C-] Tab
    screen_keys q
    expect_end 0
    rm "$XDG_CONFIG_HOME/cofferdam/profiles/cds.ini"
}

test_kill_9_of_everybody() {
    need_libvirt
    ID=$(vm --detach --name machine)
    kill -9 "$(field machine pid)"
    await 15 all_gone
    ID=$(vm --detach --name monitor)
    kill -9 "$(field monitor monitor_pid)"
    await 15 no_domains
    cofferdam prune --force >out
    await 10 all_gone
    ID=$(vm --detach --name helper)
    MONITOR=$(field helper monitor_pid)
    KEEPER=$(pgrep -P "$MONITOR" -f 'cofferdam-domain drive')
    kill -9 "$(pgrep -P "$KEEPER")"
    await 15 all_gone
    ID=$(vm --detach --name all)
    MONITOR=$(field all monitor_pid)
    KEEPER=$(pgrep -P "$MONITOR" -f 'cofferdam-domain drive')
    kill -9 "$MONITOR" "$KEEPER" "$(pgrep -P "$KEEPER")"
    expect_equal "$(domains)" "cofferdam-$ID" "what is left"
    cofferdam prune --force >out
    await 10 all_gone
}

test_libvirtd_is_killed_and_comes_back() {
    need_libvirt
    vm --detach --name stays >out
    await 5 says stays "boot sector is here"
    stop_libvirtd -9
    capture cofferdam ps
    expect_out_has stays
    expect_out_has running
    type_to stays nn
    await 5 says stays 12
    start_libvirtd
    await 10 pauses stays
    cofferdam resume stays
    type_to stays q
    await 15 all_gone
}

# What its program wrote into the disk of a snapshot does not make a clone read another file, one step down or two.
test_a_snapshot_s_disk_leads_nowhere_else() {
    need_libvirt
    need qemu-img
    vm --detach --name led >out
    cofferdam snapshot create --files --name s led
    local disk other=$XDG_STATE_HOME/cofferdam/snapshots/0123456789ab/disk0.qcow2
    disk=$(find "$XDG_STATE_HOME/cofferdam/snapshots" -name 'disk0.qcow2')
    chmod u+w "$disk" "$(dirname "$disk")"
    mkdir "$(dirname "$other")"
    qemu-img create -q -u -f qcow2 -b /etc/hostname -F raw "$other" 1M
    local to
    for to in /etc/hostname "$other"; do
        qemu-img rebase -q -u -f qcow2 -F raw -b "$to" "$disk"
        capture cofferdam clone s --name twin
        expect_status 125
        expect_err_has "leads to another file than its disk"
    done
    rm -r "$(dirname "$other")"
    cofferdam kill led
    await 10 all_gone
    cofferdam snapshot rm --force s >out
}

test_snapshots_with_memory_and_clones() {
    need_libvirt
    vm --detach --name snap >out
    await 5 says snap "boot sector is here"
    type_to snap nn
    await 5 says snap 12
    cofferdam snapshot create --memory --name after-two snap
    cofferdam snapshot create --files --name files snap
    type_to snap nnn
    await 5 says snap 12345
    cofferdam snapshot restore --force after-two >out
    type_to snap n
    await 10 says snap 3
    capture cofferdam logs snap
    expect_out_lacks 4
    cofferdam clone --name twin after-two >out
    cofferdam clone --name fresh files >out
    type_to twin n
    await 10 says twin 3
    await 10 says fresh "boot sector is here"
    cofferdam kill snap twin fresh
    await 15 all_gone
    cofferdam snapshot rm --force after-two files
}

test_domains_of_others() {
    need_libvirt
    [ "$(id -u)" != 0 ] || { echo "needs the session's own socket" >"$T/skip"; exit 77; }
    cat >xml <<'XML'
<domain type='qemu'><name>stranger</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><serial type='pty'/></devices></domain>
XML
    virsh -c "$URI" create xml >out
    capture cofferdam ps
    expect_out_has libvirt:stranger
    cofferdam pause libvirt:stranger
    expect_equal "$(virsh -c "$URI" domstate stranger | head -n 1)" paused state
    capture cofferdam ps --json
    expect_out_has '"stranger"'
    cofferdam prune --force >out
    capture cofferdam rm --force libvirt:stranger
    expect_status 125
    expect_equal "$(domains)" stranger "after prune and rm"
    kill -STOP "$(cat "$RUN/libvirtd.pid")"
    capture cofferdam ps
    kill -CONT "$(cat "$RUN/libvirtd.pid")"
    expect_out_has "libvirt:stranger"
    expect_err_has "hangs"
    cofferdam kill libvirt:stranger
    await 10 no_domains
}

# libvirt's own driver for tests: a host with one domain for each connection, and no daemon.
test_every_verb_on_the_test_driver() {
    need virsh
    [ -x "$(dirname "$COFFERDAM")/cofferdam-domain" ] || { echo "needs a build with libvirt" >"$T/skip"; exit 77; }
    export LIBVIRT_DEFAULT_URI=test:///default
    capture cofferdam ps
    expect_out_has "libvirt:test"
    expect_out_has "test:///default"
    capture cofferdam ps --json
    expect_out_has '"autostart": false'
    capture cofferdam stats --once --json
    expect_out_has '"io_read"'
    capture cofferdam stats
    expect_out_has "libvirt:test"
    capture cofferdam domain list
    expect_out_has "libvirt:test"
    for verb in pause stop kill "domain reset" "domain save" "domain autostart" "domain no-autostart" "domain forget-save"; do
        # shellcheck disable=SC2086 # the verb is words
        capture cofferdam $verb libvirt:test@test:///default
        expect_status 0
    done
    for verb in resume "domain start"; do # it runs
        # shellcheck disable=SC2086
        capture cofferdam $verb libvirt:test
        expect_status 125
        expect_err_has "omain 'test'"
    done
    capture cofferdam attach libvirt:test
    expect_status 125
    expect_err_has virDomainOpenConsole # which this driver has not
    for verb in rm exec logs "snapshot create" report inspect wait; do
        # shellcheck disable=SC2086
        capture cofferdam $verb libvirt:test true
        [ "$STATUS" != 0 ] || fail "$verb has taken it for ours"
    done
    capture cofferdam pause libvirt:nobody
    expect_status 125
    expect_err_has nobody
    capture cofferdam domain start test
    expect_status 125
    expect_err_has "libvirt:NAME"
    capture cofferdam domain pause libvirt:test
    expect_status 125
}

# Which of several is meant is never guessed: each connection to the test driver is a host of its own,
# and only which of them is told anything can be seen, by what it answers.
test_a_name_alone_is_told_to_one_place_or_to_nobody() {
    need virsh
    [ -x "$(dirname "$COFFERDAM")/cofferdam-domain" ] || { echo "needs a build with libvirt" >"$T/skip"; exit 77; }
    local profiles=$XDG_CONFIG_HOME/cofferdam/profiles here=test:///default far="qemu+unix:///system?socket=$PWD/none"
    mkdir -p "$profiles"
    there="test://$PWD/there.xml"
    cat >there.xml <<'XML'
<node><domain type='test'><name>test</name><memory>32768</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>
<domain type='test'><name>alone</name><memory>32768</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain></node>
XML
    export LIBVIRT_DEFAULT_URI=$here
    capture cofferdam pause libvirt:test
    expect_status 0
    printf '[profile]\ninherit = contained\n[machine]\nuri = %s\n' "$there" >"$profiles/there.ini"
    capture cofferdam kill libvirt:test
    expect_status 125
    expect_err_has "$here and $there have one of that name"
    expect_err_has "libvirt:test@URI"
    capture cofferdam kill "libvirt:test@$there"
    expect_status 0
    capture cofferdam pause libvirt:alone
    expect_status 0
    # it runs: the place that has it says so, and no other is asked after it
    capture cofferdam resume libvirt:alone
    expect_status 125
    expect_err_has "omain 'alone'"
    # one that cannot be asked might be the one that is meant
    printf '[profile]\ninherit = contained\n[machine]\nuri = %s\n' "$far" >"$profiles/far.ini"
    for verb in kill stop pause "domain reset" "domain save"; do
        # shellcheck disable=SC2086 # the verb is words
        capture cofferdam $verb libvirt:alone
        expect_status 125
        expect_err_has "$far could not be asked"
        expect_err_has "libvirt:alone@URI"
    done
    capture cofferdam kill "libvirt:alone@$far"
    expect_status 125
    capture cofferdam kill "libvirt:alone@test:///nowhere"
    expect_status 125
    expect_err_has "is no libvirt known here"
    capture cofferdam kill "libvirt:alone@$there"
    expect_status 0
    rm "$profiles/far.ini"
    # as a daemon would be that was ended together with its socket
    if [ "$(id -u)" != 0 ]; then
        mkdir -p "$XDG_CACHE_HOME/cofferdam"
        echo '[{"name":"alone","uuid":"0"}]' >"$XDG_CACHE_HOME/cofferdam/domains-qemu____session"
        capture env XDG_RUNTIME_DIR="$RUN/t" "$COFFERDAM" kill libvirt:alone
        expect_status 125
        expect_err_has "qemu:///session could not be asked"
        rm "$XDG_CACHE_HOME/cofferdam/domains-qemu____session"
    fi
    rm "$profiles/there.ini"
}

# The console of a domain of others: two people at it, one monitor, and nothing of it stays.
test_the_console_of_a_domain_of_others() {
    need_libvirt
    need script
    export LIBVIRT_DEFAULT_URI=$URI
    echoing theirs
    capture cofferdam attach libvirt:theirs
    expect_status 125
    expect_err_has "not running"
    virsh -c "$URI" start theirs >out
    at one libvirt:theirs
    exec {one}>one.keys
    await 10 watched 1
    # its pty is looked at once a second
    await 10 answers $one one ab "ab"
    at two "libvirt:theirs@$URI"
    exec {two}>two.keys
    await 10 shows two ab
    expect_equal "$(cofferdam ps | grep -c console-theirs)" 1 "monitors"
    ID=$(cofferdam ps -q --filter name=console-theirs)
    capture cofferdam pause "$ID"
    expect_status 125
    expect_err_has "its own name"
    printf '\035d' >&$two
    await 10 gone_pid "$(cat two.pid)"
    await 10 watched 1
    printf '\035d' >&$one
    await 10 watched 0
    expect_equal "$(virsh -c "$URI" domstate theirs | head -n 1)" running "after both have left"
    exec {one}>&- {two}>&-
    # who kills the console kills no machine; the machine's end is the console's
    at one libvirt:theirs
    exec {one}>one.keys
    await 10 watched 1
    cofferdam kill "$(cofferdam ps -q --filter name=console-theirs)"
    await 10 watched 0
    exec {one}>&-
    expect_equal "$(virsh -c "$URI" domstate theirs | head -n 1)" running "after its console was killed"
    at one libvirt:theirs
    exec {one}>one.keys
    await 10 watched 1
    virsh -c "$URI" destroy theirs >out
    await 10 gone_pid "$(cat one.pid)"
    await 10 watched 0
    exec {one}>&-
    virsh -c "$URI" undefine theirs >out
    await 10 no_domains
}
attached() { cofferdam ps 2>/dev/null | grep -q 'console-far'; }

virsh_soon() { timeout 10 virsh -c "$URI" "$@"; }
watcher_of() { pgrep -o -u "$(id -u)" -f "^$(dirname "$COFFERDAM")/cofferdam-domain watch ${URI//[+?]/.}"; }

# In the interface: by events of libvirt's, greyed with the reason while that does not answer.
test_domains_of_others_in_the_interface() {
    need_libvirt
    need tmux pgrep
    local watcher
    # a key must never reach a domain of the machine's own
    [ ! -w /run/libvirt/libvirt-sock ] || { echo "needs a machine without a libvirt of its own" >"$T/skip"; exit 77; }
    export LIBVIRT_DEFAULT_URI=$URI
    echoing theirs
    screen_start 150 24 cofferdam
    see "no workloads" # others = no
    if watcher_of; then fail "others are watched"; fi
    screen_keys q
    expect_end 0
    rm "$XDG_CONFIG_HOME/cofferdam/interface.ini" # it is to be shown
    screen_start 150 24 cofferdam
    trap 'kill -CONT "$(cat "$RUN/libvirtd.pid")" || :; screen_stop; kill_all' EXIT
    see "libvirt:theirs"
    see " off "
    virsh_soon start theirs >out
    see " running "
    see "not ours"
    screen_keys p
    see " paused "
    expect_equal "$(virsh_soon domstate theirs | head -n 1)" paused "libvirt's state"
    virsh_soon resume theirs >out
    see " running "
    screen_keys Enter
    see_no "not ours" # the terminal is its console's
    screen_keys C-] d
    see "not ours"
    kill -STOP "$(cat "$RUN/libvirtd.pid")"
    see " running? "
    see "its daemon went away"
    screen_keys P # nothing waits for it
    see "contained"
    screen_keys Escape
    see "libvirt:theirs"
    kill -CONT "$(cat "$RUN/libvirtd.pid")"
    see " running "
    see_no "went away"
    virsh_soon destroy theirs >out
    see " off "
    watcher=$(watcher_of)
    kill -9 "$watcher"
    see "its watcher ended"
    screen_keys r # sooner than by itself
    see_no "watcher ended"
    virsh_soon undefine theirs >out
    see_no "libvirt:theirs"
    screen_keys q
    expect_end 0
    await 10 gone_pid "$watcher"
    interface_settings
    await 10 no_domains
}

# told FILE WORD: what its last line says; of_place FILE: the process that watches, and no other.
told() { tail -n 1 "$1" | grep -qF -e "$2"; }
# said FILE WORD TIMES: in so many lines; the last one may be another by the time one looks.
said() { [ "$(grep -cF -e "$2" "$1")" -ge "$3" ]; }
not_told() { told "$1" '"theirs"' && ! told "$1" '"why"'; }
of_place() { pgrep -P "$1" -f 'cofferdam-domain watch'; }
# It had a call on its way, or had not.
without_answer() { said "$1" "its daemon went away" 1 || said "$1" "its daemon hangs" 1; }
struck() { kill -9 "$(of_place "$1")" 2>/dev/null; }
another_than() { [ -n "$(of_place "$1")" ] && [ "$(of_place "$1")" != "$2" ]; }

# The process that watches one libvirt begins again by itself; what it knew stays, with the reason.
test_a_watcher_of_one_place_begins_again() {
    need_libvirt
    need pgrep
    export LIBVIRT_DEFAULT_URI=$URI
    local watcher first
    defined theirs
    "$COFFERDAM" domain watch >lines &
    watcher=$!
    # shellcheck disable=SC2064 # this one
    trap "kill -CONT $(cat "$RUN/libvirtd.pid"); kill $watcher || :" EXIT # others need it
    await 10 told lines '"theirs"'
    first=$(of_place $watcher)
    kill -9 "$first"
    await 10 another_than $watcher "$first"
    grep '"its watcher ended"' lines | grep -q '"theirs"' || { cat lines; fail "its rows went with it"; }
    await 10 not_told lines
    virsh -c "$URI" start theirs >out
    await 10 told lines '"running"'
    # with nobody to ask it begins again as well, and still knows them
    kill -STOP "$(cat "$RUN/libvirtd.pid")"
    await 60 without_answer lines
    await 30 struck $watcher # who found it hanging rests first
    await 10 said lines '"its watcher ended"' 2
    expect_equal "$(grep -c 'its watcher ended.*"theirs"\|"theirs".*its watcher ended' lines)" 2 "its rows went with it"
    kill -CONT "$(cat "$RUN/libvirtd.pid")"
    await 20 not_told lines
    kill $watcher
    wait $watcher || :
    virsh -c "$URI" destroy theirs >out
    virsh -c "$URI" undefine theirs >out
    await 10 no_domains
}

# An image of the store: our kernel, our PID 1, in a domain of libvirt's.
stored() { cofferdam run --boundary vm --accel tcg --set "machine.uri=$URI" --image small --memory 192M --cpus 1 "$@"; }

test_an_image_of_the_store() {
    need_libvirt
    need_machine
    printf 'one\ntwo\n' >given
    capture stored --copy-in "$PWD/given:/root/given" -- sh -c 'cat /root/given; uname -r; echo err >&2; exit 7'
    cp out err "$T" 2>/dev/null || :
    expect_status 7
    expect_out_has two
    expect_out_has "-cloud-amd64"
    expect_err_has err
    capture stored -- /nope
    expect_status 127
    capture stored -- sh -c 'kill -9 $$'
    expect_status 137
    head -c 1000000 /dev/urandom >in
    stored -- cat <in >out
    cmp in out || fail "other bytes came back"
    await 10 all_gone
}

test_a_guest_of_ours_while_it_runs() {
    need_libvirt
    need_machine
    ID=$(stored --detach --keep always --name guest -- sh -c 'trap "echo end >/tmp/end; exit 42" TERM; echo ready; while :; do sleep 0.1; done')
    await 30 says guest ready
    expect_equal "$(domains)" "cofferdam-$ID" domain
    virsh -c "$URI" dumpxml "cofferdam-$ID" >xml
    grep -q "<kernel>" xml
    if grep -q "<interface" xml; then fail "it has a network"; fi
    capture cofferdam exec guest -- sh -c 'echo in; echo new >/root/new; exit 3'
    expect_status 3
    expect_out in
    echo sent >sent
    cofferdam cp sent guest:/root/sent
    cofferdam cp guest:/root/new back
    expect_equal "$(cat back)" new "what came back"
    capture cofferdam diff guest
    expect_out_has /root/sent
    cofferdam pause guest
    expect_equal "$(virsh -c "$URI" domstate "cofferdam-$ID" | head -n 1)" paused "libvirt's state"
    cofferdam resume guest
    stop_libvirtd -9
    expect_equal "$(cofferdam exec guest -- echo still)" still "without libvirtd"
    start_libvirtd
    await 10 pauses guest
    cofferdam resume guest
    capture cofferdam snapshot create guest
    expect_status 125
    cofferdam stop --time 10s guest
    capture cofferdam report guest
    expect_out_has /tmp/end
    cofferdam rm --force guest
    await 10 all_gone
}

test_a_guest_of_ours_that_fails() {
    need_libvirt
    need_machine
    capture stored --network host -- true
    expect_status 125
    expect_err_has "no network yet"
    capture stored --set machine.firmware=uefi -- true
    expect_err_has "machine.firmware"
    capture stored --set machine.disk=/dev/null -- true
    expect_err_has "machine.disk"
    capture cofferdam run --boundary vm --image nobody-has-it -- true
    expect_status 125
    expect_err_has "no image nobody-has-it"
    ID=$(stored --detach --name dies -- sh -c 'echo ready; sleep 600')
    await 30 says dies ready
    virsh -c "$URI" destroy "cofferdam-$ID" >out
    await 15 all_gone
    ID=$(stored --detach --name killed -- sleep 600)
    kill -9 "$(field killed monitor_pid)"
    await 15 no_domains
    cofferdam prune --force >out
    await 10 all_gone
}

has_shown() { [ "$(grep -c "$1" "$2")" -ge "$3" ]; }
no_ssh() { local pid; while read -r pid; do [ ! -e "/proc/$pid" ] || return 1; done <asked; }

# An ssh that goes nowhere ends with the question it was started for, and is not started every second.
test_another_host_that_hangs() {
    need virsh
    [ -x "$(dirname "$COFFERDAM")/cofferdam-domain" ] || { echo "needs a build with libvirt" >"$T/skip"; exit 77; }
    local profiles=$XDG_CONFIG_HOME/cofferdam/profiles watcher
    mkdir -p "$profiles"
    printf '#!/bin/sh\necho $$ >>"%s"\nexec sleep 300\n' "$PWD/asked" >hung
    chmod +x hung
    printf '[profile]\ninherit = contained\n[machine]\nuri = %s\n' \
        "qemu+ssh://nowhere/system?command=$PWD/hung&no_verify=1" >"$profiles/hung.ini"
    export LIBVIRT_DEFAULT_URI=test:///default
    capture cofferdam ps
    expect_out_has libvirt:test
    expect_err_has "its daemon hangs"
    [ -s asked ] || fail "it was not asked"
    await 2 no_ssh
    : >asked
    "$COFFERDAM" stats --watch >out 2>err &
    watcher=$!
    await 20 has_shown libvirt:test out 4
    kill "$watcher"
    wait "$watcher" || :
    expect_equal "$(wc -l <asked)" 1 "questions"
    await 5 no_ssh
    rm "$profiles/hung.ini"
}

defined() {
    virsh -c "$URI" define /dev/stdin <<XML >/dev/null
<domain type='qemu'><name>$1</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><serial type='pty'/></devices></domain>
XML
}
domain_state() { cofferdam ps --json | python3 -c 'import json, sys
for d in json.load(sys.stdin).get("domains", []):
    if d["name"] == sys.argv[1]: print(d["state"], *[n for n in ("autostart", "saved") if d.get(n)])' "$1"; }

# What virsh does is seen by the next look, and what we do by virsh's.
test_the_life_of_a_domain_of_others() {
    need_libvirt
    export LIBVIRT_DEFAULT_URI=$URI
    defined theirs
    expect_equal "$(domain_state theirs)" off "defined"
    cofferdam domain start libvirt:theirs
    expect_equal "$(virsh -c "$URI" domstate theirs | head -n 1)" running "libvirt's state"
    cofferdam domain autostart libvirt:theirs
    expect_equal "$(domain_state theirs)" "running autostart" "after autostart"
    virsh -c "$URI" autostart --disable theirs >out
    virsh -c "$URI" suspend theirs >out
    expect_equal "$(domain_state theirs)" paused "after virsh suspend"
    cofferdam resume libvirt:theirs
    cofferdam domain reset libvirt:theirs
    cofferdam domain save libvirt:theirs
    expect_equal "$(domain_state theirs)" "off saved" "after save"
    virsh -c "$URI" start theirs >out
    expect_equal "$(domain_state theirs)" running "after virsh start"
    capture cofferdam stats
    expect_out_has libvirt:theirs
    cofferdam kill libvirt:theirs
    expect_equal "$(domain_state theirs)" off "after kill"
    cofferdam prune --force >out
    expect_equal "$(domains)" theirs "after prune"
    virsh -c "$URI" undefine theirs >out
    expect_equal "$(domain_state theirs)" "" "undefined"
}

# A daemon on "another host": this one's, through an sshd of the test's own; named by a profile.
test_another_host_over_ssh() {
    need root # a user's is asked as this host's session as well
    need_libvirt
    local remote
    start_sshd
    mkdir -p "$XDG_CONFIG_HOME/cofferdam/profiles"
    remote=$(over_ssh)
    printf '[profile]\ninherit = contained\n[machine]\nuri = %s\n' "$remote" >"$XDG_CONFIG_HOME/cofferdam/profiles/team.ini"
    defined far
    capture cofferdam ps
    cp out err sshd.log "$T" 2>/dev/null || :
    expect_out_has "libvirt:far"
    expect_out_has "qemu+ssh:"
    expect_err_empty
    cofferdam domain start "libvirt:far@$remote"
    expect_equal "$(virsh -c "$URI" domstate far | head -n 1)" running state
    # a console over there, by the same road
    at one "'libvirt:far@$remote'"
    exec {one}>one.keys
    await 20 attached
    printf '\035d' >&$one
    await 10 gone_pid "$(cat one.pid)"
    exec {one}>&-
    expect_equal "$(virsh -c "$URI" domstate far | head -n 1)" running "after its console was left"
    cofferdam pause "libvirt:far@$remote"
    cofferdam resume "libvirt:far@$remote"
    expect_equal "$(domain_state far)" running "over there"
    # it goes away: its rows stay, with the reason, and nothing else waits for it
    kill "$(cat sshd.pid)"
    capture cofferdam ps
    expect_out_has "running?"
    expect_err_has "last ones known"
    rm "$XDG_CONFIG_HOME/cofferdam/profiles/team.ini"
    virsh -c "$URI" destroy far >out
    virsh -c "$URI" undefine far >out
    await 10 no_domains
}

test_zy_the_daemon_goes() { daemon_goes; }

run_tests "$@"
