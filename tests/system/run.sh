#!/bin/bash
# run, plan and inspect: status, streams, signals and what is inside, as somebody at a prompt sees them.
# shellcheck disable=SC2016 # what is quoted is for the shell inside
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

test_status_is_passed_on() {
    need userns
    for status in 0 1 7 255; do
        capture cofferdam run -- sh -c "exit $status"
        expect_status "$status"
        expect_err_empty
    done
    capture cofferdam run -- sh -c 'kill -9 $$'
    expect_status 137
    capture cofferdam run -- sh -c 'kill -TERM $$'
    expect_status 143
}

test_what_cannot_be_run_has_its_status() {
    need userns
    capture cofferdam run -- /nowhere/at/all
    expect_status 127
    expect_err_has /nowhere/at/all
    capture cofferdam run -- no-such-program
    expect_status 127
    capture cofferdam run -- /etc/passwd
    expect_status 126
    capture cofferdam run --no-such-option
    expect_status 125
    capture cofferdam run --profile contaned -- true
    expect_status 125
    expect_err_has contained
}

test_our_own_failures_are_125() {
    need userns
    capture cofferdam run --image dir:/nowhere/at/all -- true
    expect_status 125
    capture cofferdam run --mount /nowhere/at/all -- true
    expect_status 125
}

test_streams_are_exact() {
    need userns
    head -c 3000000 /dev/urandom >random
    cofferdam run -- cat <random >copy
    cmp random copy
    printf 'a\0b\377\n\033[31m' | cofferdam run -- cat >copy
    expect_equal "$(od -An -tx1 copy)" "$(printf 'a\0b\377\n\033[31m' | od -An -tx1)" bytes
    capture cofferdam run -- sh -c 'echo out; echo err >&2'
    expect_out out
    expect_equal "$(cat "$T/err")" err stderr
    expect_equal "$(cofferdam run -- head -c 20000000 /dev/zero | wc -c)" 20000000 bytes
    expect_equal "$(cofferdam run -- wc -c </dev/null)" 0 "an empty input"
}

test_a_reader_that_leaves_ends_it() {
    need userns
    set +e
    cofferdam run -- yes | head -n 1 >"$T/out"
    local ends=("${PIPESTATUS[@]}")
    set -e
    expect_equal "$(cat "$T/out")" y
    expect_equal "${ends[0]}" 141 "the status of yes"
}

test_signals_are_passed_on() {
    need userns
    for signal in INT TERM HUP QUIT; do
        mkfifo "ready$signal"
        timeout --foreground 60 "$COFFERDAM" run -- sh -c "trap 'exit 42' $signal; echo ready; while :; do sleep 0.05; done" >"ready$signal" &
        local pid=$! line status=0
        read -r line <"ready$signal"
        kill -s "$signal" "$(pgrep -P "$pid")"
        wait "$pid" || status=$?
        expect_equal "$line$status" ready42 "$signal"
    done
}

test_arguments_are_any_bytes() {
    need userns
    cofferdam run -- printf %s "$(printf 'x\377\200 "q" \\ \303\251 \001')" | od -An -tx1 >out
    expect_equal "$(cat out)" "$(printf 'x\377\200 "q" \\ \303\251 \001' | od -An -tx1)" bytes
    capture cofferdam run -- sh -c 'echo $#' sh '' ' ' '--' '-x'
    expect_out 4
}

test_nothing_of_the_environment_gets_in() {
    need userns
    SECRET=1 PASSED='a=b c' capture cofferdam run -e PASSED -e OWN=x -e ABSENT -- env
    expect_status 0
    expect_out_lacks SECRET
    expect_out_lacks XDG_
    expect_out_lacks ABSENT
    expect_out_lacks "$HOME"
    expect_out_has 'PASSED=a=b c'
    expect_out_has OWN=x
    expect_out_has container=cofferdam
}

test_nothing_of_the_person_is_inside() {
    need userns
    echo secret >"$HOME/secret"
    echo secret >"$RUN/t/secret"
    capture cofferdam run -- sh -c 'ls -A ~ /home /root /tmp /mnt /srv /run 2>&1; ls -d /boot /media /data '"$RUN $HOME"
    expect_out_lacks secret
    expect_out_lacks "$RUN"
    capture cofferdam run -- cat /etc/passwd /etc/group
    expect_equal "$(cut -d: -f1 "$T/out" | sort -u | tr '\n' ' ')" \
        "$([ "$(id -u)" = 0 ] && echo 'nobody nogroup root ' || echo 'nobody nogroup root user ')" names
    for hidden in /etc/shadow /etc/ssh /etc/sudoers /etc/fstab /etc/ssl/private; do
        capture cofferdam run -- ls "$hidden"
        [ "$STATUS" != 0 ] || fail "$hidden can be seen"
    done
    [ ! -e /etc/machine-id ] ||
        [ "$(cofferdam run -- cat /etc/machine-id)" != "$(cat /etc/machine-id)" ] || fail "the host's machine-id"
    expect_equal "$(cofferdam run --name somebody -- cat /etc/hostname)" somebody hostname
}

# A folder of /etc that is not for everybody is not there; where something is put into it, that stands
# alone, without an attribute of the file system the changes are on.
test_a_closed_folder_shows_only_what_is_put_into_it() {
    need userns unshare
    [ "$(id -u)" != 0 ] || { echo "root's workload is another user" >"$T/skip"; exit 77; }
    mkdir -p etc/closed.d/sub etc/open.d
    cp -r /etc/. etc/ 2>/dev/null || :
    echo secret | tee etc/closed.d/key etc/closed.d/sub/key etc/closed >etc/open.d/key
    chmod 0700 etc/closed.d
    chmod 0600 etc/closed
    # an /etc of the user's own, in which its bits would keep nothing from the workload
    in_it() {
        capture unshare --user --map-root-user --mount bash -c 'mount --bind etc /etc; exec unshare --user \
            --map-user="$1" --map-group="$1" "${@:2}"' bash "$(id -u)" "$COFFERDAM" run "$@"
    }
    in_it -- sh -c 'ls -d /etc/closed*; cat /etc/open.d/key'
    expect_status 0
    expect_out secret
    in_it --set 'files.tmpfs=/etc/closed.d/sub /etc/closed.d/mine' -- sh -c 'find /etc/closed* | sort'
    expect_status 0
    expect_out $'/etc/closed.d\n/etc/closed.d/mine\n/etc/closed.d/sub'
}

test_the_version_says_what_was_built() {
    capture cofferdam version
    cp "$T/out" version
    sed -n "s/^option('\\([a-z]*\\)', type: 'feature'.*/\\1/p" "$SOURCE_DIR/meson_options.txt" | grep -vx tests >options
    [ -s options ] || fail "no options"
    while read -r name; do
        grep -q " [-+]$name\\b" version || fail "$name is not in $(cat version)"
    done <options
    capture cofferdam version --json
    expect_equal "$(grep -c ': true\|: false' "$T/out")" "$(grep -c . options)" features
}

test_the_usual_places_can_be_written() {
    need userns
    capture cofferdam run -- sh -ec 'for f in ~/a /tmp/a /etc/a /usr/a /usr/bin/a /usr/local/bin/a /opt/a /run/a /var/tmp/a; do
        echo x >"$f"; done; echo written'
    expect_status 0
    expect_out written
    expect_no_file /usr/local/bin/a
    expect_no_file /opt/a
    capture cofferdam run --set isolation.read-only=yes -- sh -c 'for f in /etc/a /usr/a /opt/a /a /var/a; do
        if (echo x >"$f") 2>/dev/null; then echo "$f"; fi; done; echo x >~/a && echo x >/tmp/a && echo written'
    expect_out written
}

test_mounts_and_copies() {
    need userns
    chmod 755 "$RUN/t" "$T"
    mkdir -m 0777 shown
    echo one >shown/file
    chmod 666 shown/file
    capture cofferdam run --mount ./shown:/shown -- sh -c 'cat /shown/file; echo x >/shown/new'
    expect_out one
    [ "$STATUS" != 0 ] || fail "a mount can be written unasked"
    expect_no_file shown/new
    capture cofferdam run --mount ./shown:/shown:rw -- sh -c 'echo two >/shown/file'
    expect_status 0
    expect_equal "$(cat shown/file)" two
    capture cofferdam run --copy-in shown --copy-in shown/file:/tmp/other -- sh -c 'cat ~/shown/file /tmp/other; echo three >~/shown/file'
    expect_out $'two\ntwo'
    expect_equal "$(cat shown/file)" two "the original"
    capture cofferdam run --mount ./shown:/proc/x -- true
    expect_status 125
    cd shown
    capture cofferdam run --mount .:rw -- pwd
    expect_out "$PWD"
}

test_capabilities_are_those_asked_for() {
    need userns
    capture cofferdam run --set isolation.capabilities='net-bind-service chown' -- \
        sh -c 'grep -E "Cap(Eff|Bnd)" /proc/self/status'
    expect_out $'CapEff:\t0000000000000401\nCapBnd:\t0000000000000401'
    capture cofferdam run --set isolation.capabilities=sys-admin -- sh -c 'cat /proc/sys/user/max_*_namespaces | sort -u
        unshare --mount true 2>/dev/null && echo nested; :'
    expect_status 0
    expect_out 0
    capture cofferdam run -- grep -E 'Cap(Prm|Amb|Bnd)' /proc/self/status
    expect_out $'CapPrm:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000'
}

test_hidden_folders_appear_empty() {
    need userns
    capture cofferdam run --set files.hide='/usr/share /etc/services' -- sh -c 'ls -A /usr/share && cat /etc/services'
    expect_out ''
    capture cofferdam run --set files.hide=/dev -- true
    expect_status 125
    expect_err_has 'cannot be hidden'
}

test_names_are_unique_among_the_living() {
    need userns
    cofferdam run --detach --name one -- sleep 100 >id
    capture cofferdam run --name one -- true
    expect_status 125
    expect_err_has one
    capture cofferdam inspect one
    expect_status 0
    expect_out_has "$(cat id)"
    expect_out_has running
    capture cofferdam inspect --json one
    python3 - "$(cat id)" <"$T/out" 3<&0 <<'EOF'
import json, os, signal, sys
w = json.load(os.fdopen(3))["workloads"][0]
assert w["state"]["id"] == sys.argv[1] == w["plan"]["id"], w
assert w["state"]["phase"] == "running" and w["plan"]["argv"] == ["sleep", "100"]
os.kill(w["state"]["monitor_pid"], signal.SIGTERM)
EOF
    gone() { ! "$COFFERDAM" inspect one >/dev/null 2>&1; }
    await 10 gone
    capture cofferdam run --name one -- true
    expect_status 0
    capture cofferdam run --name ../one -- true
    expect_status 125
}

test_a_time_limit_ends_it() {
    need userns
    capture cofferdam run --time-limit 200ms -- sleep 100
    expect_status 143
    expect_err_has 'time limit'
}

test_a_plan_starts_nothing() {
    capture cofferdam plan --memory 1G --set isolation.landlock=auto -- make test
    expect_status 0
    expect_out_has 'would start'
    capture cofferdam plan --json --copy-in /etc/hosts -- make test
    expect_status 0
    python3 - 3<"$T/out" <<'EOF'
import json, os
d = json.load(os.fdopen(3))
assert d["version"] == 1 and d["starts"] is True and d["refused"] is None
assert d["plan"]["argv"] == ["make", "test"] and d["plan"]["mounts"][-1]["origin"] == "--copy-in"
EOF
}

# refused WORDS COMMAND LINE…: our own failure, the words, and nothing that was run.
refused() {
    local words=$1
    shift
    capture cofferdam "$@"
    expect_status 125
    expect_err_has "$words"
    expect_equal "$(cat "$T/out")" "" "output of: $*"
}

test_wrong_command_lines_are_refused_in_words() {
    refused 'no option --bogus here' --bogus
    refused 'no verb "frobnicate"' frobnicate
    refused 'did you mean "exec"' exce
    refused 'did you mean --profile?' run --profil contained -- true
    refused 'did you mean "contained"' run --profile contaned -- true
    refused 'no profile "../x"' run --profile ../x -- true
    refused 'did you mean resources.memory?' run --set resources.memroy=1G -- true
    refused 'not SECTION.KEY=VALUE' run --set memory -- true
    refused 'not a size such as' run --memory 12Q -- true
    refused 'at least 4.0 MiB' run --memory 1 -- true
    refused 'not a whole path' run --workdir relative -- true
    refused 'is none of none, private' run --network bogus -- true
    refused 'is no name' run --name 'a b' -- true
    refused 'No such file' run --mount /no/such/folder -- true
    refused 'not NAME or NAME=VALUE' run --env =x -- true
    refused 'a workload and a command' exec somebody
    refused 'no workload is called' exec somebody -- true
    refused 'neither a duration nor a date' logs --since yesterday somebody
    refused 'no signal "BOGUS"' kill --signal BOGUS somebody
    refused 'one of the two has to be' cp here there
    refused 'it takes no argument' doctor now
    refused 'one verb at a time' help run exec
    refused 'is none of' image frobnicate
    refused 'No such file' open no-such-file
}

test_a_refused_plan_says_why_and_the_mend() {
    # the one that is not active here
    label=apparmor
    ! grep -qs Y /sys/module/apparmor/parameters/enabled || label=selinux
    for wrong in '--network allow-list' '--image debian:12' '--boundary vm' '--set machine.tpm=yes' \
        '--set network.publish=80' "--set isolation.$label=no-such-label"; do
        # shellcheck disable=SC2086 # words
        capture cofferdam plan $wrong -- true
        expect_status 125
        expect_out_has 'would not start'
        # shellcheck disable=SC2086
        capture cofferdam run $wrong -- true
        expect_status 125
        [ -s "$T/err" ] || fail "$wrong is refused without a word"
    done
}

# What a container is for who is inside, without the numbers that differ from one to the next.
look='for n in user mnt pid net uts ipc cgroup time; do
        l=$(readlink /proc/self/ns/$n 2>/dev/null); case "$1 " in *"$l "*) echo "$n: the host" ;; *) echo "$n: its own" ;; esac
    done
    while read -r inside outside count; do echo "ids $inside $count"; done </proc/self/uid_map
    while read -r inside outside count; do echo "ids $inside $count"; done </proc/self/gid_map
    grep -E "^(Uid|Gid|Groups|NSpid|Cap|NoNewPrivs|Seccomp|SigBlk|SigIgn)" /proc/self/status
    sed "s/^[0-9]* [0-9]* [0-9]*:[0-9]* //; s/ - \([^ ]*\) .*/ \1/" /proc/self/mountinfo | sort
    ls /etc | grep -c .; hostname; pwd; ls -A /dev /proc/self/fd; ulimit -a
    echo /proc/[0-9]*; sh -c "echo the next process is \$\$"'

# The first process is made before its plan is known. Where that was in vain a second one is made,
# and nobody inside may be able to tell.
test_a_forecast_that_misses_shows_nowhere() {
    need userns
    local host shown=/opt ahead
    host=$(for n in user mnt pid net uts ipc cgroup time; do readlink /proc/self/ns/$n; done | tr '\n' ' ')
    mkdir -m 0755 lent
    echo "$look" >lent/look
    chmod 0755 "$T"
    same() { diff <(echo "$ahead") - || fail "what is seen $1"; }
    ahead=$(cofferdam run --name same -- sh -c "$look" look "$host")
    [[ $ahead == *"user: its own"*"mnt: its own"*"pid: its own"*"net: its own"* ]] || fail "no namespaces: $ahead"
    # a second run of the same plan hears no forecast at all; what is kept is on a disk
    local lines keep
    lines=$(wc -l <<<"$ahead")
    has_said() { [ "$(cofferdam logs same | wc -l)" = "$1" ]; }
    for keep in never always; do
        cofferdam run -d --name same --set lifecycle.restart=on-failure:1 --keep $keep -- \
            sh -c "$look; exec sleep 1000" look "$host" >/dev/null
        await 20 has_said "$lines"
        cofferdam exec same -- sh -c 'kill -KILL 2' || : # it may end first
        await 20 has_said $((2 * lines))
        diff <(cofferdam logs same | head -n "$lines") <(cofferdam logs same | tail -n "$lines") ||
            fail "what is seen in the second run, keep $keep"
        [ $keep = always ] || cofferdam logs same | tail -n "$lines" | same "in the second run"
        cofferdam rm --force same
    done
    # folders that are lent, and copied ones: only these are more
    cofferdam run --name same --mount "$PWD/lent:$shown" -- sh -c "$look" look "$host" |
        grep -v " $shown " | diff <(grep -v " $shown " <<<"$ahead") - || fail "what is seen beside a lent folder"
    cofferdam run --name same --copy-in "$PWD/lent/look:/tmp/look" -- sh -c "$look" look "$host" | same "beside a copy"
    # other namespaces
    expect_equal "$(cofferdam run --name same --network host -- sh -c "$look" look "$host" | grep -c ': the host')" \
        1 "namespaces of the host with its network"
}

run_tests "$@"
