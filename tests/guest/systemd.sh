#!/bin/sh
# On Debian with systemd: a person with a session gets delegated scopes from the manager of their own,
# root from the system's. AppArmor is on.
TESTS=/opt/cofferdam/tests/guest
# shellcheck source=tests/guest/inside.sh
. $TESTS/inside.sh
# shellcheck source=tests/guest/limits.sh
. $TESTS/limits.sh

PERSON=$(id -u person)
MANAGER=$CGROUP/user.slice/user-$PERSON.slice/user@$PERSON.service

root() { HOME=/root "$COFFERDAM" "$@"; }

# In a session of its own, as a login makes one: PAM, logind, /run/user.
# shellcheck disable=SC2016
session() { su --login person --command 'exec "$0" "$@"' -- "$COFFERDAM" "$@"; }

personal() {
    setpriv --reuid person --regid person --init-groups env XDG_RUNTIME_DIR="/run/user/$PERSON" "$@"
}

# As a service of the person's own manager runs it.
unit() { personal systemd-run --user --quiet --pipe --wait --collect -- "$COFFERDAM" "$@"; }

# By somebody who is nobody's session: as cron or an old ssh would.
bare() {
    setpriv --reuid person --regid person --init-groups env -i PATH="$PATH" HOME=/home/person "$COFFERDAM" "$@"
}

scopes() { find "$CGROUP" -type d -name 'cofferdam-*.scope'; }

test_it_is_what_users_have() {
    [ -d /run/systemd/system ] || fail "no systemd"
    grep -q Y /sys/module/apparmor/parameters/enabled || fail "no AppArmor"
    grep -qw memory "$CGROUP/cgroup.controllers" || fail "no memory controller"
    # one session stays, so that the person's manager does
    # shellcheck disable=SC2016
    su --login person --command 'exec sleep 100000' &
    await 30 test -S "/run/user/$PERSON/systemd/private"
    loginctl --no-legend list-sessions | grep -q person || fail "no session"
}

test_session_doctor() {
    capture session doctor
    expect_status 0
    expect_out_has "control groups from systemd: "
    for name in memory pids cpu; do expect_out_has $name; done
    expect_out_has 'loginctl enable-linger person'
}

# Debian's systemd gives its users memory, pids and cpu; see "Delegate" in user@.service.
test_session_is_refused_what_it_is_not_given() {
    # shellcheck disable=SC2086
    capture session run $STRICT --set resources.io-weight=200 -- true
    expect_status 125
    expect_err_has 'lack the io controller'
}

test_session_gets_a_scope() {
    start session scoped --memory 64M --pids 50 -- sleep 1000
    case $GROUP in "$MANAGER"/*/cofferdam-*.scope/workload) ;; *) fail "it is in $GROUP" ;; esac
    [ "$(cat "$GROUP/memory.max")" = 67108864 ] || fail "memory.max: $(cat "$GROUP/memory.max")"
    [ "$(cat "$GROUP/pids.max")" = 50 ] || fail "pids.max: $(cat "$GROUP/pids.max")"
    monitor=$(pidof cofferdam-monitor)
    grep -q "cofferdam-[0-9a-f]*.scope/monitor$" "/proc/$monitor/cgroup" || fail "the monitor: $(cat "/proc/$monitor/cgroup")"
    end session scoped
    await 10 sh -c "! find $CGROUP -name 'cofferdam-*.scope' | grep ."
}

test_session_memory() { memory_holds session; }
test_session_memory_ends_all() { memory_ends_all session; }
test_session_pids() { pids_hold session; }
test_session_cpus() { cpus_hold session; }
test_session_pause() { pause_stands_still session; }
test_session_numbers() { numbers_are_the_kernels session; }
test_session_pressure() { pressure_is_told session; }
test_session_kill() { kill_reaches_all session; }
test_session_dead_monitor() { a_dead_monitor_is_cleaned_up session; }
test_session_out_of_reach_inside() { out_of_reach_inside session; }
test_unit_memory() { memory_holds unit; }
test_unit_dead_monitor() { a_dead_monitor_is_cleaned_up unit; }
test_without_a_session_memory() { memory_holds bare; }

# Runtimes of others get their place in the same scope.
with_runtime() {
    runtime=$1 runtime_who=$2 runtime_verb=$3
    shift 3
    [ "$runtime_verb" != run ] || set -- --runtime "$runtime" "$@"
    "$runtime_who" "$runtime_verb" "$@"
}
session_crun() { with_runtime crun session "$@"; }
session_runc() { with_runtime runc session "$@"; }
root_crun() { with_runtime crun root "$@"; }
root_runc() { with_runtime runc root "$@"; }

test_session_runtimes_memory() { for who in session_crun session_runc; do memory_holds $who; done; }
test_session_runtimes_pids() { pids_hold session_crun; } # runc's own threads would not fit
test_session_runtimes_pause() { for who in session_crun session_runc; do pause_stands_still $who; done; }
test_session_runtimes_dead_monitor() { for who in session_crun session_runc; do a_dead_monitor_is_cleaned_up $who; done; }
test_root_runtimes_memory() { for who in root_crun root_runc; do memory_holds $who; done; }
test_root_less_memory() { less_memory_takes_caches_back root; }
test_root_runtimes_pids() { pids_hold root_crun; }

# systemd takes controllers back that none of its units wants any more: ours have to stay.
test_limits_outlive_what_systemd_does() {
    for who in session root; do
        start $who lasting --memory 64M --pids 50 --cpus 0.5 -- sleep 1000
        systemctl daemon-reload
        personal systemctl --user daemon-reload
        for property in CPUQuota=50% IOWeight=300 MemoryMax=1G TasksMax=100; do
            systemd-run --quiet --wait --property=$property true
            personal systemd-run --user --quiet --wait --property=$property true
        done
        [ "$(cat "$GROUP/memory.max")" = 67108864 ] || fail "$who: memory.max: $(cat "$GROUP/memory.max")"
        [ "$(cat "$GROUP/pids.max")" = 50 ] || fail "$who: pids.max: $(cat "$GROUP/pids.max")"
        [ "$(cat "$GROUP/cpu.max")" = "50000 100000" ] || fail "$who: cpu.max: $(cat "$GROUP/cpu.max")"
        end $who lasting
    done
}

test_apparmor_is_obeyed() {
    cat >"$T/profile" <<'PROFILE'
abi <abi/3.0>,
profile cofferdam-guest flags=(attach_disconnected) {
    file,
    capability,
    network,
    signal,
    mount,
    umount,
    pivot_root,
    unix,
    deny /tmp/forbidden w,
}
PROFILE
    apparmor_parser --replace "$T/profile"
    for who in session root; do
        # shellcheck disable=SC2016
        capture $who run --set isolation.apparmor=cofferdam-guest -- sh -c \
            '(: >/tmp/forbidden) 2>/dev/null || echo refused; : >/tmp/allowed && echo allowed'
        expect_status 0
        expect_out_has refused
        expect_out_has allowed
        capture $who run --set isolation.apparmor=no-such-profile -- true
        expect_status 125
        expect_err_has 'isolation.apparmor = no-such-profile: the kernel knows no such label'
    done
}

test_root_doctor() {
    capture root doctor
    expect_status 0
    expect_out_has 'control groups from systemd: '
}

test_root_gets_a_scope() {
    start root scoped --memory 64M --pids 50 -- sleep 1000
    case $GROUP in "$CGROUP"/system.slice/cofferdam-*.scope/workload) ;; *) fail "it is in $GROUP" ;; esac
    [ "$(cat "$GROUP/memory.max")" = 67108864 ] || fail "memory.max: $(cat "$GROUP/memory.max")"
    end root scoped
    await 10 sh -c "! find $CGROUP -name 'cofferdam-*.scope' | grep ."
}
test_root_memory() { memory_holds root; }
test_root_pids() { pids_hold root; }
test_root_cpus() { cpus_hold root; }
test_root_dead_monitor() { a_dead_monitor_is_cleaned_up root; }

# As doctor says: the manager of somebody who lingers stays, and with it what was started detached.
test_a_logout_ends_only_who_does_not_linger() {
    loginctl enable-linger person
    capture session doctor
    expect_out_lacks enable-linger
    start session staying --memory 64M -- sleep 1000
    loginctl terminate-session "$(loginctl --no-legend list-sessions | awk '/person/ { print $1; exit }')"
    await 30 sh -c '! loginctl --no-legend list-sessions | grep person'
    grep -q '^populated 1$' "$GROUP/cgroup.events" || fail "it went with the session"
    loginctl disable-linger person
    await 60 sh -c "! [ -d '$GROUP' ]"
    capture session ps --all
    capture session prune --force
    await 20 nothing_of_ours
}

# Nobody is logged in any more: nothing but our workload wants a processor limit.
test_root_limits_outlive_what_systemd_does() {
    loginctl terminate-user person || :
    await 60 sh -c "! [ -d '$MANAGER' ]"
    start root lasting --memory 64M --pids 50 --cpus 0.5 -- sleep 1000
    cat "$CGROUP/cgroup.subtree_control"
    for property in CPUQuota=50% IOWeight=300 MemoryMax=1G TasksMax=100; do
        systemd-run --quiet --wait --property=$property true
    done
    systemctl daemon-reload
    cat "$CGROUP/cgroup.subtree_control"
    [ "$(cat "$GROUP/memory.max")" = 67108864 ] || fail "memory.max: $(cat "$GROUP/memory.max")"
    [ "$(cat "$GROUP/pids.max")" = 50 ] || fail "pids.max: $(cat "$GROUP/pids.max")"
    [ "$(cat "$GROUP/cpu.max")" = "50000 100000" ] || fail "cpu.max: $(cat "$GROUP/cpu.max")"
    end root lasting
}

test_nothing_of_systemd_failed() {
    [ -z "$(systemctl --failed --no-legend)" ] || fail "$(systemctl --failed --no-legend)"
    [ -z "$(scopes)" ] || fail "$(scopes)"
}

run_tests
