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
    python3 -c 'import signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(100)
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

run_tests "$@"
