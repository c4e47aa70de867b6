#!/bin/bash
# cp: in and out of a running workload, and nothing through a link of the workload's.
. "$(dirname "$0")/lib.sh"

# begin: a workload called $W that stays until the test ends.
begin() {
    need userns
    W=${T##*/test_}
    cofferdam run --name "$W" --detach -- tail -f /dev/null >/dev/null
    trap end_it EXIT
}
end_it() { cofferdam exec "$W" -- sh -c 'kill -KILL -1' >/dev/null 2>&1 || :; }
inside() { cofferdam exec "$W" -- sh -c "$1"; }

make_tree() {
    mkdir -p tree/sub
    head -c 200000 /dev/urandom >tree/data
    echo small >tree/sub/small
    ln -s ../data tree/sub/link
    : >tree/empty
    chmod 0751 tree/sub
    chmod 0640 tree/data
    touch -d '2001-02-03 04:05:06' tree/data
}

test_a_tree_there_and_back() {
    begin
    make_tree
    cofferdam cp tree "$W:/tmp"
    cofferdam cp "$W:/tmp/tree" back
    diff -r --no-dereference tree back
    expect_equal "$(stat -c %a back/sub back/data | xargs)" "751 640" modes
    expect_equal "$(stat -c %Y back/data)" "$(stat -c %Y tree/data)" time
}

# Each copy is an event in its record, which stays short enough to be read, whatever the names.
test_names_that_grow_when_shown() {
    begin
    local odd
    odd=$(printf '\001%.0s' {1..240})
    echo one >one
    for _ in {1..101}; do cofferdam cp one "$W:/tmp/$odd"; done
    expect_equal "$(cofferdam ps --quiet | wc -l)" 1 'living workloads'
    cofferdam pause "$W"
    cofferdam ps | grep -q paused
    cofferdam resume "$W"
}

test_files_and_names() {
    begin
    echo one >one
    cofferdam cp one "$W:/tmp"            # into a folder
    cofferdam cp one "$W:/tmp/other"      # as a name
    cofferdam cp ./one "$W:/tmp/sub:name" # a colon behind the first
    expect_equal "$(inside 'cat /tmp/one /tmp/other /tmp/sub:name' | wc -l)" 3 files
    mkdir into
    cofferdam cp "$W:/tmp/other" into
    cofferdam cp "$W:/tmp/other" into/named
    cmp one into/other
    cmp one into/named
    echo two >one
    cofferdam cp one "$W:/tmp/other"      # replaced
    expect_equal "$(inside 'cat /tmp/other')" two
    mkdir -p dir/deep && echo x >dir/deep/x
    cofferdam cp dir/. "$W:/tmp"          # only what is in it
    expect_equal "$(inside 'cat /tmp/deep/x')" x
}

test_failures_say_which_path() {
    begin
    echo one >one
    capture cofferdam cp "$W:/no/such/file" .
    expect_status 125
    expect_err_has "$W:/no/such/file: No such file or directory"
    capture cofferdam cp one "$W:/no/where/one"
    expect_status 125
    expect_err_has "No such file or directory"
    capture cofferdam cp missing "$W:/tmp"
    expect_status 125
    expect_err_has "missing: No such file or directory"
    capture cofferdam cp one two
    expect_status 125
    capture cofferdam cp "$W:/tmp/x" nobody:/tmp
    expect_status 125
    capture cofferdam cp one "$W:relative"
    expect_status 125
    expect_no_file two
}

test_links_of_the_workload_are_never_followed() {
    begin
    echo secret >secret
    mkdir -p dst/tree victim
    # the link itself comes out, as a link; what is there under a link's name is replaced, not written to
    inside "mkdir /tmp/tree && cd /tmp/tree && ln -s $T/victim way && ln -s $T/secret file"
    cofferdam cp "$W:/tmp/tree" dst
    [ -L dst/tree/way ] && [ -L dst/tree/file ]
    inside 'cd /tmp/tree && rm way file && mkdir way && echo evil >way/x && echo evil >file'
    capture cofferdam cp "$W:/tmp/tree" dst
    expect_equal "$(cat secret)" secret
    expect_equal "$(ls victim)" ""
    # neither is a link followed out of the root inside
    inside 'ln -s / /tmp/root; ln -s ../../../../../.. /tmp/up'
    cofferdam cp "$W:/tmp/up/tmp/tree/way/x" x
    expect_equal "$(cat x)" evil
}

test_set_id_bits_stay_behind() {
    begin
    cp /bin/true t
    chmod 6755 t
    cofferdam cp t "$W:/tmp/back"
    expect_equal "$(inside 'stat -c %a /tmp/back')" 755 mode
}

test_what_is_no_file_is_left_out() {
    begin
    mkdir tree && mkfifo tree/fifo && echo x >tree/x
    capture cofferdam cp tree "$W:/tmp"
    expect_status 0
    expect_err_has "1 special file"
    expect_equal "$(inside 'ls /tmp/tree')" x
    capture cofferdam cp "$W:/dev/null" null
    expect_status 125
    expect_no_file null
    capture cofferdam cp "$W:/proc/self/status" .
    expect_no_file null
}

test_names_are_shown_escaped() {
    begin
    inside 'mkdir -p "/tmp/d/$(printf "a\033]0;x\007")" && mkdir -m 0 "/tmp/d/$(printf "b\033[2Jc")"' || :
    capture cofferdam cp "$W:/tmp/d" out
    ! grep -q $'\033' err || fail "an escape sequence came through"
    capture cofferdam cp "$W:/tmp/$(printf 'no\033[2Jne')" out2
    expect_status 125
    ! grep -q $'\033' err || fail "an escape sequence came through"
    expect_err_has '\x1b[2J'
    chmod -R u+rwx out
}

test_a_file_larger_than_the_disk_is_refused() {
    begin
    inside 'truncate -s 1000T /tmp/huge' || inside 'truncate -s 15T /tmp/huge'
    capture cofferdam cp "$W:/tmp/huge" huge
    expect_status 125
    expect_no_file huge
}

test_a_file_of_holes_stays_one() {
    need userns
    cofferdam run -d --name holes -- sh -c 'truncate -s 300M /tmp/sparse; printf end >>/tmp/sparse; truncate -s 1M /tmp/zeros; sleep 1000' >/dev/null
    await 10 sh -c "\"$COFFERDAM\" exec holes -- test -e /tmp/zeros"
    cofferdam cp holes:/tmp/sparse copy
    cofferdam cp holes:/tmp/zeros zeros
    expect_equal "$(stat -c %s copy) $(tail -c 3 copy) $(stat -c %s zeros)" "$((300 * 1048576 + 3)) end 1048576"
    [ "$(stat -c %b copy)" -lt 4096 ] || fail "it takes $(stat -c %b copy) blocks"
    cmp zeros <(head -c 1048576 /dev/zero)
    cofferdam kill holes >/dev/null
}

test_an_interrupted_copy_takes_back_what_it_made() {
    need userns
    local status=0 pid
    cofferdam run -d --name slow -- sh -c 'truncate -s 4G /tmp/sparse; sleep 1000' >/dev/null
    await 10 sh -c "\"$COFFERDAM\" exec slow -- test -e /tmp/sparse"
    mkdir into
    "$COFFERDAM" cp slow:/tmp/sparse into/ &
    pid=$!
    await 10 sh -c 'ls -A into | grep -q .'
    kill -TERM $pid
    wait $pid || status=$?
    expect_equal $status 143 status
    expect_equal "$(ls -A into)" "" "what is left"
    cofferdam kill slow >/dev/null
}

test_what_was_kept_comes_out_after_the_end() {
    need userns
    cofferdam run --keep always --name over -- sh -c \
        'mkdir -p ~/d/e; echo one >~/d/e/f; ln -s / ~/d/up; echo two >/tmp/two; chmod 4755 /tmp/two 2>/dev/null; echo $HOME' >home
    local home
    home=$(cat home)
    mkdir kept
    cofferdam cp "over:$home/d" kept
    cofferdam cp over:/tmp/two kept/2
    expect_equal "$(cat kept/d/e/f) $(cat kept/2) $(readlink kept/d/up)" "one two /"
    capture cofferdam cp "over:$home/d/up/etc/passwd" kept
    expect_status 125
    capture cofferdam cp over:/usr/bin/env kept
    expect_status 125
    expect_equal "$(ls -A kept)" "$(printf '2\nd')" "what came out"
    cofferdam rm -f over
}

test_what_was_changed_as_a_tar() {
    need userns
    cofferdam run -d --keep always --name changes -- sh -c 'mkdir -p /srv/new/deep ~/mine; echo one >/srv/new/deep/f; chmod 750 /srv/new/deep/f
        ln -s / /srv/new/up; mkfifo /srv/pipe; echo two >/etc/two; rm -f /etc/profile; echo there >~/mine/g; echo no >/etc/.wh.two; : >/srv/new/.wh..wh..opq
        mkdir /srv/new/.wh.d /etc/.wh.e; : >/srv/new/.wh.d/f; : >/srv/new/.wh.d/g; : >/etc/.wh.e/f; mkfifo /srv/new/deep/p; : >/tmp/ready; exec sleep 1000' >/dev/null
    await 10 sh -c "\"$COFFERDAM\" exec changes -- test -e /tmp/ready"
    cofferdam export changes living.tar >said
    grep -q 'changed files.*left out: 9 of special kinds' said || fail "it says: $(cat said)"
    check_changes living.tar
    capture cofferdam export changes living.tar
    expect_status 125
    expect_err_has "living.tar is there already"
    cofferdam export changes - 2>/dev/null >piped.tar
    expect_equal "$(tar tf piped.tar | sort)" "$(tar tf living.tar | sort)" "members"
    cofferdam kill changes >/dev/null
    cofferdam export changes ended.tar >/dev/null
    check_changes ended.tar
    cofferdam rm -f changes >/dev/null
    capture cofferdam export changes gone.tar
    expect_status 125
    expect_no_file gone.tar
}
check_changes() {
    local into=${1%.tar}
    mkdir "$into"
    tar -C "$into" -xf "$1"
    expect_equal "$(cat "$into/srv/new/deep/f" "$into/etc/two" "$(find "$into" -name g)" | xargs)" "one two there" "$1"
    expect_equal "$(stat -c %a "$into/srv/new/deep/f") $(readlink "$into/srv/new/up")" "750 /" "$1"
    expect_no_file "$into/srv/pipe"
    expect_no_file "$into/etc/.wh.two" # it would mean that two was deleted
    expect_no_file "$into/srv/new/.wh..wh..opq"
    [ ! -e /etc/profile ] || expect_file "$into/etc/.wh.profile"
}

# A workload cannot deny what it changed by what nobody can take along: that alone is left out, and named.
test_an_export_without_what_cannot_come() {
    need userns
    cofferdam run -d --keep always --name claims -- sh -c 'mkdir -p /srv/new/z; echo one >/srv/new/a; echo two >/srv/new/z/b
        (truncate -s 1000T /srv/new/huge || truncate -s 15T /srv/new/huge) 2>/dev/null
        cd /srv/new; mkdir down; cd down; i=0; while [ $i -lt 120 ]; do mkdir d; cd d; i=$((i + 1)); done; echo three >f
        n=$(printf %0240d 0); cd /srv/new; i=0; while [ $i -lt 30 ]; do mkdir $n; cd -P ./$n; i=$((i + 1)); done
        : >/tmp/ready; exec sleep 1000' >/dev/null
    await 10 sh -c "\"$COFFERDAM\" exec claims -- test -e /tmp/ready"
    claims_come living
    capture timeout 60 "$COFFERDAM" export claims - # as much as a pipe takes has an end too
    expect_status 1
    expect_err_has "left out: /srv/new/huge: there is not as much room"
    # what is wrong with all of it is not said of each
    cofferdam pause claims
    capture cofferdam export claims paused.tar
    expect_status 125
    expect_err_has "paused"
    expect_no_file paused.tar
    cofferdam resume claims
    cofferdam kill claims >/dev/null
    claims_come ended
    cofferdam rm -f claims >/dev/null
}
claims_come() {
    capture cofferdam export claims "$1.tar"
    expect_status 1
    expect_err_has "left out: /srv/new/huge: there is not as much room"
    expect_err_has "left out: /srv/new/0000"
    expect_out_has "not whole: 15 left out" # the file, and folders whose names go beyond 4096 bytes
    mkdir "$1"
    tar -C "$1" -xf "$1.tar" || fail "$1: it is no archive"
    expect_equal "$(cat "$1/srv/new/a" "$1/srv/new/z/b" "$(find "$1/srv/new/down" -name f)" | xargs)" "one two three" "$1"
    expect_no_file "$1/srv/new/huge"
}

# Nor by how many there are.
test_an_export_of_more_than_are_listed() {
    need userns
    cofferdam run --keep always --name many -- sh -c 'mkdir /srv/many; cd /srv/many; i=0; while [ $i -lt 100100 ]; do : >$i; i=$((i + 1)); done; echo one >/etc/one' >/dev/null
    capture cofferdam export many many.tar
    expect_status 1
    expect_out_has "not whole: more were changed than are listed"
    expect_equal "$(tar -xOf many.tar etc/one)" one
    cofferdam rm -f many >/dev/null
}

# What is given up leaves nothing.
test_an_export_that_is_given_up() {
    local status=0 pid
    need userns
    cofferdam run -d --name endless -- sh -c 'truncate -s 8G /tmp/sparse; exec sleep 1000' >/dev/null
    await 10 sh -c "\"$COFFERDAM\" exec endless -- test -e /tmp/sparse"
    mkfifo slow
    "$COFFERDAM" export endless - >slow 2>/dev/null &
    pid=$!
    exec 9<slow
    head -c 1000000 <&9 >/dev/null # it is at it
    kill -TERM $pid
    exec 9<&-
    wait $pid || status=$?
    expect_equal $status 143 status
    cofferdam kill endless >/dev/null
}

run_tests "$@"
