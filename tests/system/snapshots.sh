#!/bin/bash
# Snapshots and clones: what is kept, who the clones are, what is never let through.
. "$(dirname "$0")/lib.sh"

OPTIONS=() # of every workload
# behind RUNTIME: from here on in this test.
behind() {
    need userns "$1"
    OPTIONS=(--runtime "$1")
}

# begin COMMAND: a workload called web; its command says "ready" when it has made what it makes.
begin() {
    need userns
    trap end_all EXIT
    start web "$1"
}
start() {
    local name=$1 command=$2
    shift 2
    cofferdam run --set resources.limits=best-effort "${OPTIONS[@]}" --name "$name" "$@" --detach -- \
        sh -c "$command; echo ready; exec tail -f /dev/null" >/dev/null
    await 10 is_ready "$name"
}
is_ready() { cofferdam logs "$1" | grep -q ready; }
end_all() {
    local ids
    ids=$(cofferdam ps --quiet)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || cofferdam kill $ids >/dev/null 2>&1 || :
    ids=$(cofferdam snapshot list --quiet)
    # shellcheck disable=SC2086
    [ -z "$ids" ] || cofferdam snapshot rm --recursive --force $ids || :
}
inside() { cofferdam exec "$1" -- sh -c "$2"; }
places() { find "$XDG_STATE_HOME/cofferdam/snapshots" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort; }

# shellcheck disable=SC2016 # what is in quotes expands inside
# Everything a layer can hold, made the same in the original.
all_kinds='cd /opt && mkdir -p d/e && echo text >d/e/f && ln d/e/f d/hard && ln -s e/f d/soft &&
    mkfifo d/pipe && truncate -s 1000000 d/sparse && echo end >>d/sparse && chmod 751 d/e/f &&
    mkdir d/closed && echo x >d/closed/in && chmod 0 d/closed && touch -d 2001-02-03 d/sparse &&
    echo hidden >d/secret && chmod 0 d/secret && echo home >~/mine'
shown='cd /opt/d && stat -c "%n %f %h %s %Y %u:%g" e e/f hard soft pipe sparse closed secret ~/mine &&
    cat e/f soft ~/mine && readlink soft && tail -c 4 sparse && stat -c %b sparse && chmod 700 closed secret && cat closed/in secret'

test_started_again_on_its_files() {
    begin 'echo once >>/opt/log; wc -l </opt/log'
    local id
    id=$(cofferdam ps --quiet)
    capture cofferdam restart web
    expect_status 0
    await 10 is_ready web
    expect_equal "$(cofferdam ps --quiet)" "$(cat out)" "the one that runs"
    [ "$(cat out)" != "$id" ] || fail "it was not started again"
    expect_equal "$(inside web 'wc -l </opt/log')" 2 "runs on the same files"
    [ -z "$(places)" ] || fail "a snapshot was left"
    capture cofferdam restart web nothing-like-it
    expect_status 125
    expect_equal "$(inside web 'wc -l </opt/log')" 2 "nothing is done if one cannot be found"
    capture cofferdam restart
    expect_status 125
}

# It writes without a pause, and tells of each line outside when it has written it.
# shellcheck disable=SC2016
test_started_again_it_has_what_it_told_of() {
    local told kept
    mkdir told
    OPTIONS=(--mount "$PWD/told:/told:rw")
    begin '[ -e /opt/log ] || { echo ready; i=0
        while :; do i=$((i+1)); echo $i >>/opt/log; echo $i >>/told/log; done; }'
    await 10 [ -s told/log ]
    cofferdam restart web >/dev/null
    await 10 is_ready web
    told=$(wc -l <told/log) kept=$(inside web 'wc -l </opt/log')
    [ "$kept" -ge "$told" ] || fail "it told of $told lines and has $kept"
}

test_everything_is_there_again() {
    begin "$all_kinds"
    cofferdam snapshot create web --name one >out
    grep -q "one: files of web" out
    cofferdam clone one --name twin -- sh -c "echo ready; exec tail -f /dev/null" >/dev/null
    await 10 is_ready twin
    inside web "$shown" >a
    inside twin "$shown" >b
    diff a b
    cofferdam diff web >a
    cofferdam diff twin >b
    diff a b
    # the original went on, and the two have nothing in common any more
    inside web 'echo later >/opt/later'
    inside twin '! test -e /opt/later && echo own >/opt/d/e/f'
    expect_equal "$(inside web 'cat /opt/d/e/f')" text
}

test_deleted_files_stay_deleted() {
    begin 'mkdir -p /opt/x; echo 1 >/opt/x/1; rm /etc/hosts /etc/mtab; echo mine >>/etc/passwd'
    cofferdam snapshot create web --name one >/dev/null
    cofferdam clone one --name twin -- sh -c "echo ready; exec tail -f /dev/null" >/dev/null
    await 10 is_ready twin
    inside twin '! test -e /etc/mtab && test -e /etc/hosts' # who it is, is said anew
    expect_equal "$(inside twin 'tail -1 /etc/passwd')" mine
}

test_clones_are_others() {
    begin 'cat /etc/machine-id'
    cofferdam snapshot create web --name one >/dev/null
    cofferdam clone one --number 3 --label k=v \
        -- sh -c 'hostname; cat /etc/hostname /etc/machine-id /proc/sys/kernel/random/boot_id; echo ready; exec tail -f /dev/null' >ids
    expect_equal "$(wc -l <ids)" 3
    local n
    for n in 1 2 3; do
        await 10 is_ready "web-$n"
        cofferdam logs "web-$n" | grep -v ready >"said-$n"
        expect_equal "$(sed -n 1p "said-$n") $(sed -n 2p "said-$n")" "web-$n web-$n"
    done
    expect_equal "$(sed -s -n 3p said-* | sort -u | wc -l)" 3 "machine-ids"
    expect_equal "$(sed -s -n 4p said-* | sort -u | wc -l)" $((${#OPTIONS[@]} ? 0 : 3)) "boot ids" # masked behind others
    ! grep -qFf <(sed -s -n 3p said-*) <(cofferdam logs web)
    expect_equal "$(cofferdam ps --filter label=k=v --quiet | wc -l)" 3 labelled
    # whose child each is
    local id
    id=$(cofferdam snapshot list --quiet)
    expect_equal "$(cofferdam ps --json | json "sorted({w.get('snapshot','-') for w in d['workloads']})")" "['-', '$id']"
    cofferdam ps | grep -q 'FROM'
    cofferdam inspect web-1 | grep -q "started from *$id one"
    cofferdam inspect web | grep -q "snapshot *$id one"
    if [ "$(id -u)" = 0 ]; then # a range of ids each
        for n in 1 2 3; do
            stat -c %u "/proc/$(cofferdam inspect --json "web-$n" | json "d['workloads'][0]['state']['pid']")"
        done | sort -u >owners
        expect_equal "$(wc -l <owners)" 3 "ranges of ids"
        ! grep -qx 0 owners
    fi
}

test_none_is_started_if_one_cannot() {
    begin :
    cofferdam snapshot create web --name one >/dev/null
    capture cofferdam clone one --number 2 --name -x
    expect_status 125
    expect_err_has "is no name"
    capture cofferdam clone one --number 2 -- /no/such/program
    expect_status 127
    expect_err_has "clone 1 of 2"
    expect_equal "$(cofferdam ps --all --quiet | wc -l)" 1
    capture cofferdam clone one --name web # taken
    expect_status 125
    expect_err_has "web"
    capture cofferdam clone one --number 0
    expect_status 125
}

test_restore_brings_the_same_back() {
    begin 'test -e /opt/was || { echo first >/opt/was; cat /etc/machine-id >/opt/id; }; cat /opt/was; cat /etc/machine-id; hostname'
    cofferdam logs web | grep -v ready >before
    cofferdam snapshot create web --name one >/dev/null
    inside web 'echo second >/opt/was'
    capture cofferdam snapshot restore one
    expect_status 125
    expect_err_has "--force"
    expect_equal "$(inside web 'cat /opt/was')" second
    capture cofferdam snapshot restore one --dry-run
    expect_out_has "after ending the one that runs"
    cofferdam snapshot restore one --force >/dev/null
    await 10 is_ready web
    cofferdam logs web | grep -v ready >after
    diff before after
    expect_equal "$(cofferdam ps --quiet | wc -l)" 1
    cofferdam kill web
    cofferdam snapshot restore one >/dev/null # it has ended and was not kept: all the same
    await 10 is_ready web
}

test_children_are_not_orphaned() {
    begin :
    cofferdam snapshot create web --name one >/dev/null
    cofferdam clone one --name kid >/dev/null
    await 10 is_ready kid
    capture cofferdam snapshot rm --force one
    expect_status 125
    expect_err_has "children that run: kid"
    cofferdam snapshot create kid --name two >/dev/null
    cofferdam kill kid web
    capture cofferdam snapshot rm --force one
    expect_status 125
    expect_err_has "--recursive"
    expect_equal "$(cofferdam snapshot list --json | json "[s.get('parent') is not None for s in d['snapshots']]")" "[True, False]"
    capture cofferdam snapshot rm one two </dev/null
    expect_status 125 # nobody was asked
    cofferdam snapshot rm --dry-run one two >out
    expect_equal "$(wc -l <out)" 2
    cofferdam snapshot rm --force one two
    expect_equal "$(places)" ""
}

test_cost_first() {
    begin 'head -c 3000000 /dev/zero >/opt/big'
    capture cofferdam snapshot create web --name one --dry-run
    expect_status 0
    expect_out_has "would take one: files of web, 2.9 MiB"
    expect_out_has "are free"
    expect_equal "$(places)" ""
    cofferdam snapshot create web --json >out
    expect_equal "$(json "d['snapshot']['memory'], d['snapshot']['bytes'] >= 3000000" <out)" "False True"
    capture cofferdam snapshot create web --memory
    expect_status 125
    expect_err_has "no snapshot of files and memory"
    capture cofferdam snapshot create web --name "$(cofferdam snapshot list --json | json "d['snapshots'][0]['name']")"
    expect_status 125
    expect_err_has "there is a snapshot called"
}

test_the_limits_hold_for_clones() {
    need userns
    trap end_all EXIT
    start web 'head -c 3000000 /dev/zero >/opt/big' --set resources.disk=4M
    cofferdam snapshot create web --name one >/dev/null
    cofferdam clone one --name twin -- sh -c 'head -c 3000000 /dev/zero >/opt/more || echo full; echo ready; exec tail -f /dev/null' >/dev/null 2>&1
    await 10 is_ready twin
    cofferdam logs twin | grep -q full
    cofferdam plan --json --set resources.disk=4M -- true >/dev/null
    # a plan that allows less than the snapshot has: nothing starts, nothing stays
    local id
    id=$(cofferdam snapshot list --quiet)
    sed -i 's/"disk":4194304/"disk":1048576/' "$XDG_STATE_HOME/cofferdam/snapshots/$id/plan"
    capture cofferdam clone one --name less
    expect_status 125
    expect_err_has "resources.disk"
    expect_equal "$(cofferdam ps --all --quiet | wc -l)" 2
}

test_never_weaker() {
    begin 'ls -la / /home /root /run >/opt/seen 2>&1'
    cofferdam snapshot create web --name one >/dev/null
    cofferdam clone one --name twin >/dev/null
    await 10 is_ready twin
    cofferdam inspect --json web | json "{k: v for k, v in d['workloads'][0]['plan'].items() if k in ('capabilities', 'seccomp', 'no_new_privileges', 'open', 'network', 'namespaces', 'landlock', 'limits', 'rlimits', 'sysctls', 'boundary', 'uid', 'gid')}" >a
    cofferdam inspect --json twin | json "{k: v for k, v in d['workloads'][0]['plan'].items() if k in ('capabilities', 'seccomp', 'no_new_privileges', 'open', 'network', 'namespaces', 'landlock', 'limits', 'rlimits', 'sysctls', 'boundary', 'uid', 'gid')}" >b
    diff a b
    for name in web twin; do
        inside "$name" 'grep -E "^(Cap|Seccomp:|NoNewPrivs)" /proc/1/status; ls -A /home /root 2>&1; ls /run; grep -c . /proc/self/mounts; cat /etc/shadow 2>&1 | head -1' >"$name.sees"
    done
    diff web.sees twin.sees
}

# What the workload calls its files is its own affair; the host follows none of it.
test_hostile_names_and_links() {
    begin 'mkdir /opt/h && cd /opt/h && ln -s /etc/passwd link && ln -s ../../../../../.. up && mkdir "$(printf "new\nline")" &&
        : >"$(printf "\033[31mred")" && n=0 && d=. && while [ $n -lt 100 ]; do mkdir -p $d/d; d=$d/d; n=$((n+1)); done'
    cofferdam snapshot create web --name one >out
    local files
    files=$XDG_STATE_HOME/cofferdam/snapshots/$(cofferdam snapshot list --quiet)
    expect_equal "$(stat -c %a:%u "$files" "$(dirname "$files")" | sort -u)" "700:$(id -u)"
    # whose they are, nobody on the host is
    if [ "$(id -u)" = 0 ]; then
        find "$files/files" -printf '%U %G\n' | awk '$1 < 1879048192 || $2 < 1879048192' >low
        expect_equal "$(cat low)" ""
    fi
    cofferdam clone one --name twin -- sh -c 'cd /opt/h && readlink link up && ls | wc -l && find . -type d | wc -l; echo ready; exec tail -f /dev/null' >/dev/null
    await 10 is_ready twin
    expect_equal "$(cofferdam logs twin | xargs)" "/etc/passwd ../../../../../.. 6 103 ready"
}

test_too_deep_is_refused() {
    begin 'cd /opt; n=0; while [ $n -lt 300 ]; do mkdir d && cd d || break; n=$((n+1)); done'
    capture cofferdam snapshot create web
    expect_status 125
    expect_equal "$(places)" "" # nothing of it stays
    inside web 'echo it goes on' | grep -q on
}

test_an_ended_one_and_at_the_end() {
    need userns
    trap end_all EXIT
    local options=(--set resources.limits=best-effort --set lifecycle.snapshot-on-exit=yes)
    capture cofferdam run "${options[@]}" --name job -- sh -c 'echo one >/opt/result; exit 3'
    expect_status 3
    expect_equal "$(cofferdam ps --all --quiet)" "" # a disposable one; its snapshot is there
    cofferdam snapshot list | grep -q 'job-exit-.* files *job '
    cofferdam clone "$(cofferdam snapshot list --quiet)" --name after \
        -- sh -c 'cat /opt/result; echo ready; exec tail -f /dev/null' >/dev/null
    await 10 is_ready after
    cofferdam logs after | grep -q one
    cofferdam kill after
    cofferdam run --set resources.limits=best-effort --name kept --keep always -- sh -c 'echo two >/opt/result'
    cofferdam snapshot create kept --name of-kept >/dev/null
    cofferdam rm --force kept
    cofferdam clone of-kept --name again -- sh -c 'cat /opt/result; echo ready; exec tail -f /dev/null' >/dev/null
    await 10 is_ready again
    cofferdam logs again | grep -q two
    cofferdam kill again
    # both: the files are in the snapshot, and diff still finds them
    cofferdam run "${options[@]}" --name both --keep always -- sh -c 'echo three >/opt/result'
    cofferdam diff both | grep -q /opt/result
    cofferdam rm --force both
    capture cofferdam run --name none -- true
    capture cofferdam snapshot create none
    expect_status 125
}

# Whoever copies may be killed; the workload goes on, and what is half there is said and removed.
test_killed_in_between() {
    begin 'cd /opt; n=0; while [ $n -lt 3000 ]; do echo $n >f$n; n=$((n+1)); done'
    local pid step=0
    for step in 1 2 3 4 5 6; do
        "$COFFERDAM" snapshot create web --name "try-$step" >/dev/null 2>&1 &
        pid=$!
        # shellcheck disable=SC2034
        for _ in $(seq $((step * 40))); do :; done
        await 5 has_half_or_ended "$pid"
        kill -KILL $pid 2>/dev/null || :
        wait $pid 2>/dev/null || :
        expect_equal "$(inside web 'echo on')" on # it is let go
        cofferdam snapshot list >/dev/null
    done
    await 10 no_half_is_left # who copies dies with who asked, but may be at a disk's mercy
    local id
    for id in $(cofferdam snapshot list --quiet); do # what is listed is whole
        expect_equal "$(find "$XDG_STATE_HOME/cofferdam/snapshots/$id/files" -name 'f[0-9]*' | wc -l)" 3000
    done
    cofferdam snapshot create web --name last | grep -q last
}
no_half_is_left() { cofferdam prune --force --lost >/dev/null && ! places | grep -q half; }
has_half_or_ended() { places | grep -q half || ! kill -0 "$1" 2>/dev/null; }

# Where the file system can share blocks a snapshot's files cost next to nothing.
share_blocks() {
    need root userns "mkfs.$1"
    grep -qw "$1" /proc/filesystems || modprobe "$1" 2>/dev/null || :
    truncate -s 600M disk.img
    mkdir disk
    "mkfs.$1" -q disk.img >/dev/null 2>&1
    if ! mount -o loop disk.img disk 2>said; then
        echo "needs a kernel that mounts $1: $(head -1 said)" >"$T/skip"
        exit 77
    fi
    trap 'end_all; umount disk; rm disk.img' EXIT
    export XDG_STATE_HOME=$PWD/disk
    start web 'head -c 60000000 /dev/urandom >/opt/big; echo small >/opt/small' --keep always
    sync -f disk
    local before after
    before=$(df --output=used -k disk | tail -1)
    cofferdam snapshot create web --name one >/dev/null
    sync -f disk
    after=$(df --output=used -k disk | tail -1)
    [ $((after - before)) -lt 20000 ] || fail "60 MB took $((after - before)) KiB more"
    cofferdam clone one --name twin -- sh -c "echo ready; exec tail -f /dev/null" >/dev/null
    await 10 is_ready twin
    expect_equal "$(inside twin 'md5sum </opt/big')" "$(inside web 'md5sum </opt/big')" content
    inside twin 'echo other >/opt/small'
    expect_equal "$(inside web 'cat /opt/small')" small # shared until it is written
    cofferdam rm --force web twin >/dev/null
}
test_blocks_are_shared_on_btrfs() { share_blocks btrfs; }
test_blocks_are_shared_on_xfs() { share_blocks xfs; }

# What a clone has changed is told against its image, as with any workload: its snapshot's part too.
test_diff_of_a_clone() {
    begin 'echo one >/opt/one'
    cofferdam snapshot create web --name one >/dev/null
    cofferdam clone one --name twin -- sh -c "echo two >/opt/two; echo ready; exec tail -f /dev/null" >/dev/null
    await 10 is_ready twin
    capture cofferdam diff twin
    expect_out_has /opt/one
    expect_out_has /opt/two
    cofferdam diff web >before
    ! grep -q /opt/two before || fail 'the original has what its clone made'
}

# The same behind other runtimes, which keep the files as native does.
test_files_behind_crun() { behind crun && test_everything_is_there_again; }
test_files_behind_runc() { behind runc && test_everything_is_there_again; }
test_deleted_behind_crun() { behind crun && test_deleted_files_stay_deleted; }
test_deleted_behind_runc() { behind runc && test_deleted_files_stay_deleted; }
test_others_behind_crun() { behind crun && test_clones_are_others; }
test_others_behind_runc() { behind runc && test_clones_are_others; }
test_back_behind_crun() { behind crun && test_restore_brings_the_same_back; }
test_back_behind_runc() { behind runc && test_restore_brings_the_same_back; }

test_clone_of_a_workload() {
    begin 'echo made >/opt/mine'
    capture cofferdam clone web --number 2 --dry-run
    expect_status 0
    expect_out_has "would start web-2 from what web is now"
    expect_equal "$(places)" ""
    cofferdam clone web --number 2 -- sh -c 'cat /opt/mine; hostname; echo ready; exec tail -f /dev/null' >ids
    expect_equal "$(wc -l <ids)" 2
    await 10 is_ready web-2
    expect_equal "$(cofferdam logs web-2 | xargs)" "made web-2 ready"
    expect_equal "$(places)" "" "the snapshot, which is needed no more"
    cofferdam inspect web-2 >/dev/null
    cofferdam ps >/dev/null
    capture cofferdam clone web --number 2 -- /no/such/program
    expect_status 127
    expect_equal "$(places)" ""
    await 10 there_are 3
    capture cofferdam clone nobody
    expect_status 125
    expect_err_has "no snapshot is called"
    # those that are started again keep what they start from
    start often 'echo made >/opt/mine' --set lifecycle.restart=on-failure
    cofferdam clone often --name again 2>said >/dev/null
    grep -q "stays" said
    expect_equal "$(places | wc -l)" 1
}

there_are() { [ "$(cofferdam ps --all | grep -cE ' web(-[0-9]+)? ')" = "$1" ]; }

test_an_image_is_kept_for_its_snapshots() {
    need userns busybox
    ldd "$(type -P busybox)" >/dev/null 2>&1 && { echo 'needs a busybox that is static' >"$T/skip"; exit 77; }
    trap end_all EXIT
    mkdir -p rootfs/bin rootfs/etc rootfs/opt
    cp "$(type -P busybox)" rootfs/bin/busybox
    local name
    for name in sh echo tail cat; do ln -s busybox "rootfs/bin/$name"; done
    cofferdam image import rootfs small >/dev/null
    OPTIONS=(--image small)
    start web 'echo made >/opt/mine'
    cofferdam snapshot create web --name one >/dev/null
    cofferdam kill web
    cofferdam image rm small >/dev/null 2>&1
    cofferdam image prune --force >/dev/null 2>&1 || :
    cofferdam clone one --name twin -- sh -c 'cat /opt/mine; echo ready; exec tail -f /dev/null' >/dev/null
    await 10 is_ready twin
    cofferdam logs twin | grep -q made
}

# gVisor: what runs goes on in others, each of which is told who it is before anybody hears of it.
test_memory_behind_gvisor() {
    need userns new-runsc python3
    trap end_all EXIT
    cat >serve.py <<'PY'
import http.client, http.server, os, socket, threading, time, urllib.request
class Here(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = " ".join([socket.gethostname(), open("/etc/hostname").read().strip(),
            open("/etc/machine-id").read().strip(), os.urandom(8).hex()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Here)
threading.Thread(target=server.serve_forever, daemon=True).start()
n = 0
print("ready", flush=True)
while True:
    n += 1
    time.sleep(0.05)
    try:
        print("at", n, urllib.request.urlopen("http://127.0.0.1:8000/").read().decode(), flush=True)
    except (OSError, http.client.HTTPException):
        pass  # a connection that was open may be reset in a clone
PY
    cofferdam run --boundary sandbox --set resources.limits=best-effort --name g \
        --copy-in serve.py:/opt/serve.py --detach -- python3 /opt/serve.py >/dev/null
    await 30 is_ready g
    await 10 has_come g 10
    cofferdam snapshot create g --name mem >out
    grep -q "files and memory of g" out
    # what gVisor wrote in frames of a byte is one frame, which is read in less time
    python3 - "$XDG_STATE_HOME"/cofferdam/snapshots/*/files/memory/checkpoint.img <<'PY'
import struct, sys
state = open(sys.argv[1], "rb").read()
at = 16 + struct.unpack(">Q", state[8:16])[0] + 32
assert struct.unpack(">I", state[at:at + 4])[0] == len(state) - at - 4 > 10000
PY
    local n at
    at=$(cofferdam logs g | grep -c '^at')
    await 10 has_come g $((at + 5)) # the source goes on
    cofferdam clone mem --number 10 >ids
    for n in 1 2 3 4 5 6 7 8 9 10; do
        await 20 is_itself "g-$n"
        # it goes on where it was, and not from the beginning
        [ "$(cofferdam logs "g-$n" | sed -n 's/^at \([0-9]*\) .*/\1/p' | head -1)" -ge 9 ] || fail "g-$n began anew"
        answers "g-$n" | tail -1 >>last
        # from its first word on it is itself, and nobody else; the first may be about what was asked before the snapshot
        expect_equal "$(answers "g-$n" | tail -n +2 | cut -d' ' -f3-5 | sort -u | wc -l)" 1 "names of g-$n"
        cofferdam kill "g-$n"
    done
    expect_equal "$(cut -d' ' -f5 last | sort -u | wc -l)" 10 "machine-ids"
    expect_equal "$(cut -d' ' -f6 last | sort -u | wc -l)" 10 "random numbers"
    capture cofferdam clone mem -- true
    expect_status 125
    expect_err_has "no other command"
    cofferdam snapshot restore mem --force >/dev/null
    await 10 has_come g 1
    expect_equal "$(answers g | tail -1 | cut -d' ' -f3,4)" "g g"
}
# Whole lines: the last may have come in part.
answers() { cofferdam logs "$1" | grep -xE 'at( [^ ]+){3} [0-9a-f]{32} [0-9a-f]{16}'; }
has_come() { [ "$(cofferdam logs "$1" | grep -c '^at')" -ge "$2" ]; }
is_itself() { [ "$(answers "$1" | grep -c " $1 $1 ")" -ge 2 ]; }

# What a snapshot stops goes on, whoever is ended in between; what the workload itself has stopped does not.
test_memory_behind_gvisor_goes_on() {
    need userns new-runsc
    trap end_all EXIT
    strike_at nothing
    # shellcheck disable=SC2016
    cofferdam run --boundary sandbox --runtime "$PWD/striking/runsc" --set resources.limits=best-effort --name g --detach -- bash -c '
        tail -f /dev/null & held=$!; kill -STOP $held; (while :; do sleep 0.3; done) & echo ready
        n=0; while :; do n=$((n+1)); sleep 0.1; read -r _ _ state _ </proc/$held/stat; echo at $n $state; done' >/dev/null
    await 30 is_ready g
    local word n
    for word in still pause checkpoint resume go-on; do
        strike_at $word
        ! cofferdam snapshot create g --name "s-$word" >said 2>&1 || fail "one was taken, although who took it was ended at $word"
        strike_at nothing
        advances g
        expect_equal "$(cofferdam ps --json | json "[w['phase'] for w in d['workloads']]")" "['running']"
    done
    expect_equal "$(cofferdam snapshot list --quiet)" ""
    cofferdam snapshot create g --name whole >/dev/null
    advances g
    cofferdam clone whole --name twin >/dev/null
    advances twin
    for n in g twin; do expect_equal "$(cofferdam logs $n | tail -1 | cut -d' ' -f3)" T "what $n had stopped"; done
}

begin_counting() {
    need userns new-runsc
    trap end_all EXIT
    strike_at nothing
    # shellcheck disable=SC2016
    cofferdam run --boundary sandbox --runtime "$PWD/striking/runsc" --set resources.limits=best-effort --name g --detach -- bash -c '
        (while :; do sleep 0.3; done) & echo ready; n=0; while :; do n=$((n+1)); sleep 0.1; echo at $n; done' >/dev/null
    await 30 is_ready g
}

# Its call has a time limit, and what it had begun inside is undone.
test_memory_behind_gvisor_goes_on_after_a_time_limit() {
    begin_counting
    strike_at still hang
    capture cofferdam snapshot create g --name late
    expect_status 125
    expect_err_has "could not stop what runs in it"
    advances g
    strike_at nothing
    expect_equal "$(cofferdam snapshot list --quiet)" ""
    cofferdam snapshot create g --name whole >/dev/null
    advances g
}

# Where ours cannot let it go gVisor does; and nothing is said to run that stands still for ever.
test_memory_behind_gvisor_is_let_go_or_ended() {
    begin_counting
    strike_at go-on fail
    cofferdam snapshot create g --name one >/dev/null
    advances g
    strike_at 'go-on|kill' fail
    capture cofferdam snapshot create g --name two
    expect_status 125
    expect_err_has "could not be let go again"
    await 20 nothing_runs
}
nothing_runs() { [ -z "$(cofferdam ps --quiet)" ]; }

# Who is stopped while it stops the others keeps nobody waiting for ever; nor is a clone made of such a one. (gVisor may
# list a process that is just going as /proc/0, which has no command line, and kill(2) takes 0 for one's own group.)
test_memory_behind_gvisor_of_a_hostile_root() {
    need userns new-runsc
    trap end_all EXIT
    # shellcheck disable=SC2016
    cofferdam run --boundary sandbox --set resources.limits=best-effort --user root --name g --detach -- bash -c '
        (n=0; while :; do n=$((n+1)); sleep 0.1; echo at $n; done) &
        echo ready; while :; do for p in /proc/[0-9]*; do
            line=; read -r line 2>/dev/null <$p/cmdline; case $line in *cofferdam-init*still*) kill -STOP ${p#/proc/};; esac; done; done' >/dev/null
    await 30 is_ready g
    capture timeout 60 "$COFFERDAM" snapshot create g --name s
    case $STATUS in 0 | 125) ;; *) fail "status $STATUS" ;; esac
    [ "$STATUS" = 0 ] || expect_equal "$(cofferdam snapshot list --quiet)" ""
    cofferdam exec g -- true
    advances g # one that stands by
}
advances() {
    local n
    n=$(cofferdam logs "$1" | grep -c '^at') || :
    await 60 has_come "$1" $((n + 2))
}
# strike_at WORD[|WORD] [kill|hang|fail]: a runsc that, called with that word, ends whoever calls it and then does
# what it was asked; or does it and never returns; or does nothing. Always the same file, which is a mount for whoever
# calls it, and never a half one: while somebody begins it, it cannot be written.
strike_at() {
    [ -d striking ] || mkdir striking && touch striking/runsc && chmod 0755 . striking striking/runsc
    await 10 put_strike "$1" "${2:-kill}"
}
# shellcheck disable=SC2016
put_strike() {
    printf '#!/bin/sh\nword=%-24sdeed=%s\nfor each; do case "|$word|" in *"|$each|"*) case $deed in
    kill) kill -KILL $PPID;; hang) %s "$@"; exec sleep 1000;; fail) exit 1;; esac;; esac; done\nexec %s "$@"\n' \
        "'$1';" "$2" "$(type -P runsc)" "$(type -P runsc)" 1<>striking/runsc
} 2>/dev/null

USERS='user ranges root'
run_tests "$@"
