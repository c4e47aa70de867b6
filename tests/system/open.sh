#!/bin/bash
# open, report, diff and doctor: a strange file is looked at, judged by a person, run, and told about.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# A script that does what one would like to hear of.
make_installer() {
    cat >setup.run <<'END'
#!/bin/sh
echo "run as $0 with $*"
echo 'echo mine' >>~/.bashrc
cp /bin/true /usr/local/bin/tool
chmod u+s /usr/local/bin/tool
exit 3
END
    chmod 644 setup.run
}

# on_terminal ANSWERS COMMAND…: with a terminal of its own, which types the answers.
on_terminal() {
    local answers=$1
    shift
    STATUS=0
    printf "$answers" | script -qec "$(printf '%q ' "$@")" /dev/null >"$T/out" 2>"$T/err" || STATUS=$?
}

test_without_a_terminal_the_trust_must_be_said() {
    make_installer
    capture cofferdam open setup.run
    expect_status 125
    expect_err_has "script for /bin/sh"
    expect_err_has "$(sha256sum <setup.run | cut -d' ' -f1)"
    expect_err_has "--trust full|some|none"
    expect_err_has "recommended: --trust some"
    capture cofferdam open --trust some --profile contained setup.run
    expect_status 125
}

test_a_stop_that_is_missing_is_refused_by_name() {
    make_installer
    # containerd takes no image of this machine, wherever it may be
    capture cofferdam open --trust none --runtime kata setup.run
    expect_status 125
    expect_err_has 'trust "none" means the profile untrusted, and '
    expect_err_has "Nothing was run"
    expect_err_has "--profile contained"
    [ "$(cat "$T/out")" = "" ] || fail "something was run"
    cp /bin/true prog
    capture cofferdam open --yes --runtime kata prog # recommends none
    expect_status 125
    expect_err_has 'trust "none" means the profile untrusted, and '
}

# The programs that read --json get what a person is told: what is recommended, why, its cost, what is missing.
test_json_has_the_recommendation() {
    local lacks
    need userns
    make_installer
    cp /bin/true prog
    cofferdam open --json setup.run >script.json
    cofferdam open --json prog >prog.json
    lacks=$(python3 -c 'import json
script, prog = json.load(open("script.json")), json.load(open("prog.json"))
said = script["recommendation"]
assert (said["trust"], said["profile"], said["available"]) == ("some", "contained", True), said
assert said["why"] and said["cost"] == "starts in milliseconds" and said["lacks"] is None, said
assert [s["trust"] for s in script["stops"]] == ["full", "some", "none"], script
assert prog["recommendation"]["trust"] == "none" and prog["recommendation"]["why"], prog
print(prog["recommendation"]["lacks"] or "")')
    [ -z "$lacks" ] || {
        capture cofferdam open --trust none prog
        expect_status 125
        expect_err_has "$lacks"
    }
    cofferdam open --json --set resources.memory=nonsense prog >prog.json # with the flags given
    grep -q nonsense prog.json || fail "a launch with these flags would be refused"
}

test_a_script_is_run_and_told_about() {
    need userns
    make_installer
    capture cofferdam open --trust some setup.run -- a "b c"
    expect_status 3
    expect_out "run as $(sed -n 's/^run as \(.*\) with.*/\1/p' "$T/out") with a b c"
    expect_out_has /setup.run
    expect_err_has "with status 3"
    expect_err_has ".bashrc"
    expect_err_has "starts by itself"
    expect_err_has "/usr/local/bin/tool"
    expect_err_has "not seen"
    expect_no_file "$HOME/.bashrc"
    expect_equal "$(stat -c %a setup.run)" 644 "mode of the original"
}

test_a_program_needs_no_execute_bit() {
    need userns
    cp /bin/echo prog
    chmod 644 prog
    capture cofferdam open --profile contained prog -- one two
    expect_status 0
    expect_out "one two"
    expect_err_has "ELF program"
}

test_names_that_bite_do_not() {
    need userns
    make_installer
    cp -- setup.run $'-rf: \e[31m$(touch evil)'
    capture cofferdam open --profile contained -- $'./-rf: \e[31m$(touch evil)' || :
    capture cofferdam open --profile contained ./$'-rf: \e[31m$(touch evil)'
    expect_status 3
    expect_no_file evil
    ! grep -q $'\e' "$T/err" || fail "an escape sequence came through"
    expect_err_has '\x1b'
}

test_an_archive_is_listed_and_opened() {
    need userns tar
    make_installer
    mkdir in
    cp setup.run in
    tar -czf a.tar.gz in
    capture cofferdam open --profile contained a.tar.gz
    expect_status 0
    expect_err_has "2 entries"
    expect_err_has "in/setup.run"
    expect_out_has "in/setup.run" # by tar, inside
    capture cofferdam open --profile contained a.tar.gz -- sh -c 'tar -xzf a.tar.gz && cat in/setup.run'
    expect_status 0
    expect_out "$(cat setup.run)"
    expect_no_file in/in
}

test_a_hostile_archive_is_named_as_one() {
    need tar
    touch a
    tar -cPf evil.tar --transform='s,^a$,../../escape,' a
    capture cofferdam open evil.tar
    expect_status 125
    expect_err_has "would leave the folder"
    capture cofferdam open --json evil.tar
    expect_status 0
    expect_out_has '"outside"'
    head -c 300 evil.tar >cut.tar
    capture cofferdam open cut.tar
    expect_status 125
}

test_marks_of_the_web_and_signatures_are_shown() {
    make_installer
    printf '[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=https://get.example/setup.run\r\n' >setup.run:Zone.Identifier
    touch setup.run.asc
    capture cofferdam open setup.run
    expect_err_has "https://get.example/setup.run"
    expect_err_has "setup.run.asc lies beside it, not verified"
    expect_err_has "recommended: --trust none"
}

test_what_is_no_file_is_refused() {
    mkfifo pipe
    capture cofferdam open pipe
    expect_status 125
    capture cofferdam open /dev/zero
    expect_status 125
    capture cofferdam open nothing-here
    expect_status 125
    expect_err_has nothing-here
    capture cofferdam open
    expect_status 125
}

test_a_person_is_asked() {
    need userns script
    make_installer
    on_terminal 'q\n' "$COFFERDAM" open setup.run
    expect_status 125
    expect_out_has "How far do you trust it?"
    expect_out_has "[recommended]"
    expect_out_has "nothing was run"
    on_terminal 'what\nnone\n' "$COFFERDAM" open --runtime kata setup.run
    expect_status 125
    expect_out_has "not available: "
    expect_out_has "Nothing was run"
    on_terminal '2\n' "$COFFERDAM" open --set console.terminal=no setup.run
    expect_status 3
    expect_out_has "with status 3"
    on_terminal 'some\n' "$COFFERDAM" open setup.run # and inside a terminal
    expect_status 3
    expect_out_has "run as /"
    expect_out_has "with status 3"
}

test_the_report_of_a_kept_workload() {
    need userns
    capture cofferdam run --keep always --name told -- sh -c 'echo x >/etc/made'
    expect_status 0
    expect_err_empty
    capture cofferdam report told
    expect_status 0
    expect_out_has "told: sh -c"
    expect_out_has "with status 0"
    expect_out_has "/etc/made"
    capture cofferdam report --json told
    expect_status 0
    expect_out_has '"changes"'
    capture cofferdam diff told
    expect_status 0
    expect_out_has "+ /etc/made"
    capture cofferdam diff --json told
    expect_status 0
    expect_out_has '"/etc/made"'
    capture cofferdam rm --force told
}

test_the_report_of_run() {
    need userns
    capture cofferdam run --report -- sh -c 'touch /etc/made'
    expect_status 0
    expect_err_has "+ /etc/made"
}

test_doctor_says_what_is_missing_and_why() {
    need userns
    capture cofferdam doctor
    expect_status 0
    expect_out_has "user namespaces"
    expect_out_has "the sandbox boundary"
    expect_out_has "runsc: gVisor"
    expect_out_has "native"
    capture cofferdam doctor --json
    expect_status 0
    expect_out_has '"version"'
    expect_out_has '"mend"'
}

# A tick and a cross are told apart on a terminal that has neither.
test_doctor_on_a_plain_terminal() {
    need userns script
    LC_ALL=C script -qec "$COFFERDAM doctor" out </dev/null >/dev/null
    grep -q '^ *[^ ]*+[^ ]* Linux ' out || { cat out; fail "no plain mark"; }
    ! LC_ALL=C grep -q $'[\x80-\xff]' out || { cat out; fail "more than ASCII"; }
    LC_ALL=C.UTF-8 script -qec "$COFFERDAM doctor" out </dev/null >/dev/null
    grep -q '✓' out || { cat out; fail "no tick"; }
}

# One that is slow holds up no other: each of these answers only while the other is being asked.
test_doctor_asks_side_by_side() {
    need userns
    mkdir bad
    mkfifo "$PWD/bad/between"
    printf '#!/bin/sh\necho x >"%s" && echo "crun version 0"\n' "$PWD/bad/between" >bad/crun
    printf '#!/bin/sh\nread -r _ <"%s" && echo "runc version 0"\n' "$PWD/bad/between" >bad/runc
    chmod 0755 . bad bad/crun bad/runc
    chmod a+rw bad/between
    chmod a+x ..
    PATH=$PWD/bad:$PATH LIBVIRT_AUTOSTART=0 capture "$COFFERDAM" doctor
    expect_out_has "crun version 0"
    expect_out_has "runc version 0"
}

run_tests "$@"
