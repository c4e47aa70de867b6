#!/bin/bash
# Profiles, workload files, help and completions, as somebody at a prompt meets them.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# put FILE: stdin into a file below the user's configuration.
put() {
    mkdir -p "$(dirname "$XDG_CONFIG_HOME/cofferdam/$1")"
    cat >"$XDG_CONFIG_HOME/cofferdam/$1"
}

test_the_dial_is_listed() {
    capture cofferdam profile list --quiet
    expect_status 0
    for name in build contained develop gpu legacy-os strong trusted untrusted windows; do
        grep -qx "$name" "$T/out" || fail "no $name"
    done
    capture cofferdam profile list --json
    python3 -c 'import json, sys; d = json.load(sys.stdin); assert d["version"] == 1 and len(d["profiles"]) >= 8' <"$T/out"
}

test_every_value_says_where_it_came_from() {
    mkdir -p "$XDG_CONFIG_HOME/cofferdam/profiles/contained.ini.d"
    put profiles/contained.ini.d/mine.ini <<<$'[resources]\nmemory = 3G'
    capture cofferdam profile show --resolved contained --set network.mode=host
    rm "$XDG_CONFIG_HOME/cofferdam/profiles/contained.ini.d/mine.ini"
    expect_status 0
    grep -q '^memory = 3G *; contained.ini.d/mine.ini:2$' "$T/out"
    grep -q '^mode = host *; --set$' "$T/out"
    grep -q '^home = empty *; contained.ini:[0-9]*$' "$T/out"
    grep -q '^nice = 0 *; default$' "$T/out"
    ! grep -q $'\033' "$T/out" || fail "colours in a pipe"
}

test_a_typo_is_an_error_with_its_line() {
    put profiles/typo.ini <<<$'[profile]\ninherit = contained\n\n[networks]\nmode = none'
    capture cofferdam profile show typo
    expect_status 125
    expect_err_has 'profiles/typo.ini:4: there is no section [networks]; did you mean [network]?'
    capture cofferdam profile list
    expect_status 0
    expect_out_has 'broken: '
    expect_out_has 'contained'
    capture cofferdam profile check
    expect_status 1
    rm "$XDG_CONFIG_HOME/cofferdam/profiles/typo.ini"
}

test_a_mask_hides_a_profile() {
    mkdir -p "$XDG_CONFIG_HOME/cofferdam/profiles"
    ln -s /dev/null "$XDG_CONFIG_HOME/cofferdam/profiles/gpu.ini"
    capture cofferdam profile list -q
    expect_out_lacks gpu
    capture cofferdam profile show gpu
    expect_status 125
    expect_err_has 'masked'
    rm "$XDG_CONFIG_HOME/cofferdam/profiles/gpu.ini"
}

test_hostile_names_are_shown_escaped() {
    put profiles/odd.ini <<<$'[profile]\ndescription = a\033]0;b\007c\xe2\x80\xaed'
    capture cofferdam profile list
    expect_out_has 'a\x1b]0;b\x07c\u{202e}d'
    capture cofferdam profile show $'\033[31m'
    ! grep -q $'\033' "$T/err" || fail "an escape sequence went through"
    rm "$XDG_CONFIG_HOME/cofferdam/profiles/odd.ini"
}

test_what_this_version_lacks_is_refused() {
    capture cofferdam profile check contained
    expect_status 0
    capture cofferdam profile check strong untrusted
    expect_status 1
    expect_out_has 'refused'
    capture cofferdam profile explain contained
    expect_status 0
    expect_out_has 'kernel'
    expect_out_lacks 'cannot be started'
    # what check refuses, explain does not pass over
    for name in $(cofferdam profile list --quiet); do
        cofferdam profile explain "$name" >explained
        if cofferdam profile check "$name" >/dev/null; then
            ! grep -q 'It cannot be started here' explained || fail "explain refuses $name"
        else
            grep -q 'It cannot be started here: ' explained || fail "explain does not say that $name cannot start"
        fi
    done
    capture cofferdam profile explain --json trusted
    python3 -c 'import json, sys
reach = json.load(sys.stdin)["reach"]
assert reach[0]["badness"] == max(r["badness"] for r in reach)
assert any(r["subject"] == "network" and r["badness"] >= 50 for r in reach)' <"$T/out"
}

test_workload_files_are_edited_and_checked() {
    cat >"$T/editor" <<'EDITOR'
#!/bin/sh
printf '[workload]\nprofile = develop\ncommand = make "a b"\n%s\n' "$EXTRA" >"$2"
EDITOR
    chmod +x "$T/editor"
    export EDITOR="$T/editor --wait" EXTRA=
    capture cofferdam workload edit web
    expect_status 0
    capture cofferdam workload show web
    expect_out_has 'command = "a b"'
    EXTRA=nonsense
    capture cofferdam workload edit web
    expect_status 125
    expect_err_has 'web.ini.edit:4: neither [section]'
    capture cofferdam workload show web
    expect_status 0
    EDITOR=false
    capture cofferdam workload edit other
    expect_status 125
    expect_no_file "$XDG_CONFIG_HOME/cofferdam/workloads/other.ini.edit"
    rm -r "$XDG_CONFIG_HOME/cofferdam/workloads"
}

test_wrong_command_lines_name_the_nearest() {
    capture cofferdam profle
    expect_status 125
    expect_err_has 'did you mean "profile"?'
    capture cofferdam profile shwo x
    expect_err_has 'did you mean "show"?'
    capture cofferdam profile list --qiet
    expect_err_has 'did you mean --quiet?'
    capture cofferdam
    expect_status 125
    expect_err_has 'needs a terminal'
}

test_help_and_version() {
    capture cofferdam --version
    expect_status 0
    grep -qx 'cofferdam [0-9.]* [+-]seccomp [+-]archive [+-]zstd [+-]systemd [+-]tui [+-]libvirt' "$T/out"
    capture cofferdam --help
    for verb in $(cofferdam help --json | python3 -c 'import json, sys
for v in json.load(sys.stdin)["verbs"]:
    if not v["hidden"]:
        print(v["name"])'); do
        grep -q "^  $verb " "$T/out" || fail "--help lacks $verb"
        cofferdam "$verb" --help >"$T/one"
        grep -q "^Usage: cofferdam $verb" "$T/one" || fail "no usage of $verb"
    done
}

test_lost_output_is_a_failure() {
    STATUS=0
    "$COFFERDAM" help --json >/dev/full 2>"$T/err" || STATUS=$?
    expect_equal "$STATUS" 125 status
    grep -q 'No space left' "$T/err"
}

test_completions_are_valid() {
    for shell in bash zsh fish; do
        capture cofferdam completion $shell
        expect_status 0
        mv "$T/out" "$T/$shell"
        if command -v $shell >/dev/null; then
            $shell -n "$T/$shell"
        fi
    done
    # shellcheck disable=SC1091
    . "$T/bash"
    complete_line() {
        COMP_WORDS=("$@")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _cofferdam
        echo "${COMPREPLY[*]}"
    }
    expect_equal "$(complete_line cofferdam prof)" profile
    expect_equal "$(complete_line cofferdam profile s)" show
    expect_equal "$(complete_line cofferdam profile show untr)" untrusted
    expect_equal "$(complete_line cofferdam domain sn)" snapshot
    : >save-me
    expect_equal "$(complete_line cofferdam domain save save-)" ""
    expect_equal "$(complete_line cofferdam profile list --qu)" --quiet
}

run_tests "$@"
