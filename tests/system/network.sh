#!/usr/bin/env bash
# network.mode = private: it leads out, to nothing of the host's, and nothing leads in; the same behind every runtime.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source=machine.sh
. "$(dirname "$0")/machine.sh"

# The host is a network namespace here, with one neighbour (198.51.100.2) who answers for the whole
# world: names, the web, and what clouds have at addresses of theirs. Root alone can make that.
HOST=198.51.100.1 FAR=198.51.100.2
CLOUDS='169.254.169.254 168.63.129.16 100.100.100.200 192.0.0.192'
RUNTIMES='native crun runc runsc'

cat_reach() {
    cat <<'P'
import socket, sys
for place in sys.argv[1:]:
    host, port = place.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), 4) as s:
            print(place, s.recv(100).decode().strip())
    except OSError as e:
        print(place, "no:", e)
P
}

# reach ADDRESS PORT: whether somebody answers from here.
reach() { cat_reach | python3 - "$1:$2" | grep -q 'here is'; }

make_world() {
    ip link set lo up
    mount -t tmpfs -o mode=0755 none /dev/net
    mknod -m 0666 /dev/net/tun c 10 200
    unshare --net python3 "$SYSTEM_DIR/world.py" </dev/null &
    WORLD=$!
    # until it is in one of its own, it is in ours
    while [ "$(readlink /proc/$WORLD/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do
        kill -0 $WORLD 2>/dev/null || return 1
        sleep 0.02
    done
    ip link add out type veth peer name far netns $WORLD || return 1
    ip addr add $HOST/24 dev out && ip link set out up && ip route add default via $FAR
    nsenter --net=/proc/$WORLD/ns/net sh -c "ip link set lo up && ip link set far up &&
        ip addr add $FAR/24 dev far && for a in $CLOUDS; do ip addr add \$a/32 dev far || exit; done"
    echo "nameserver $FAR" >"$WORLD_DIR/resolv.conf"
    mount --bind "$WORLD_DIR/resolv.conf" "$(readlink -f /etc/resolv.conf)" || return 1
    for _ in {1..100}; do
        reach $FAR 80 && return
        sleep 0.05
    done
    return 1
}

if [ "$(id -u)" = 0 ] && [ -z "${COFFERDAM_OWN_NETWORK:-}${COFFERDAM_TEST_AS:-}" ] && have ip && have slirp4netns; then
    # what machines boot is fetched while there is a way to it
    ! have qemu-system-x86_64 || (place=$(mktemp -d) && cd "$place" && kernel_package >/dev/null; rm -rf "$place")
    COFFERDAM_OWN_NETWORK=making exec unshare --mount --net --propagation private bash "$0" "$@"
fi
if [ "${COFFERDAM_OWN_NETWORK:-}" = making ]; then
    WORLD_DIR=$(mktemp -d) WORLD=
    make_world || echo "# no network could be made for the tests"
    COFFERDAM_OWN_NETWORK=made bash "$0" "$@"
    status=$?
    [ -z "$WORLD" ] || kill "$WORLD"
    umount "$(readlink -f /etc/resolv.conf)" 2>/dev/null
    rm -rf "$WORLD_DIR"
    exit $status
fi

need_world() {
    need userns slirp4netns python3
    reach $FAR 80 || { echo "needs root, who makes a network for it" >"$T/skip"; exit 77; }
}

# what RUNTIME: the options for it
what() {
    OPTIONS=(--network private --runtime "$1" --set resources.limits=best-effort)
    [ "$1" = runsc ] && OPTIONS+=(--boundary sandbox)
    :
}

# run_inside RUNTIME SCRIPT ARGUMENT…: in a workload; of "card", with the card of a machine that runs.
run_inside() {
    if [ "$1" = card ]; then
        python3 "$SYSTEM_DIR/card.py" "$PID" python3 "${@:2}"
        return
    fi
    what "$1"
    cofferdam run "${OPTIONS[@]}" --mount "$PWD/$2:/$2" -- python3 "/$2" "${@:3}"
}

# inside RUNTIME PLACE…: the same, in a workload.
inside() {
    cat_reach >reach.py
    run_inside "$1" reach.py "${@:2}"
}

end_all() {
    cofferdam kill n >/dev/null 2>&1 || :
    [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || :
}

each_runtime() {
    local runtime
    for runtime in $RUNTIMES; do
        [ "$runtime" = native ] || have "$runtime" || continue
        "$1" "$runtime"
    done
}

leads_out() {
    inside "$1" $FAR:80 far.test:80 >got
    expect_equal "$(cat got)" "$FAR:80 here is 198.51.100.2
far.test:80 here is 198.51.100.2" "$1"
}

test_leads_out() {
    need_world
    each_runtime leads_out
}

serve_here() {
    python3 "$SYSTEM_DIR/world.py" here 8081 $HOST >>heard &
    SERVER=$!
    await 10 reach 127.0.0.1 8081
}

closed() {
    inside "$1" 127.0.0.1:8081 10.0.2.2:8081 10.0.2.3:8081 10.0.2.100:8081 $HOST:8081 \
        169.254.1.1:80 0.0.0.0:8081 ${CLOUDS// /:80 }:80 >got
    grep -q 'here is' got && fail "$1: $(cat got)"
    expect_equal "$(wc -l <got)" 11 "$1"
}

test_leads_to_nothing_of_the_hosts() {
    need_world
    trap end_all EXIT
    serve_here
    reach $HOST 8081 || fail "the host's own is not there"
    for a in $CLOUDS; do reach "$a" 80 || fail "the cloud's own at $a is not there"; done
    each_runtime closed
}

# knock PLACE…: at port 8081 of each, by names of devices too, which no route to the loopback device stands before.
cat_knock() {
    cat <<'P'
import os, socket, struct, sys
try:
    device = [n for _, n in socket.if_nameindex() if n != "lo"][0]
    index = struct.pack("!I", socket.if_nametoindex(device))
except (OSError, IndexError):
    device, index = "none", struct.pack("!I", 2)
WAYS = {
    "plain": [],
    "device": [(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")],
    "unicast": [(socket.IPPROTO_IP, 50, index)],  # IP_UNICAST_IF
    "group": [(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", b"\0" * 4, b"\0" * 4, *struct.unpack("!I", index)))],
}
for place in sys.argv[1:]:
    for way, options in WAYS.items():
        for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
            with socket.socket(socket.AF_INET, kind) as s:
                try:
                    for o in options:
                        s.setsockopt(*o)
                    s.settimeout(1)
                    if kind == socket.SOCK_DGRAM:
                        s.sendto(f"{way} to {place}".encode(), (place, 8081))
                    else:
                        s.connect((place, 8081))
                except OSError:
                    pass
print("knocked")
P
}

knocks() {
    : >heard
    run_inside "$1" knock.py 127.0.0.1 127.9.9.9 $HOST \
        10.0.2.2 10.0.2.3 0.0.0.0 224.0.0.251 255.255.255.255 >got
    expect_equal "$(cat got)" knocked "$1"
    expect_equal "$(cat heard)" "" "$1: what the host has heard"
}

test_no_packet_comes_to_the_host() {
    need_world
    trap end_all EXIT
    : >heard
    serve_here
    cat_knock >knock.py
    python3 knock.py $HOST 224.0.0.251 >got
    await 10 grep -q "plain to $HOST" heard
    await 10 grep -q "to 224.0.0.251" heard
    each_runtime knocks
}

# What the kernel remembers of neighbours it counts for all namespaces together.
neighbours() {
    run_inside "$1" neighbours.py >got
    expect_equal "$(cat got)" "IPv6 devices: lo
neighbours: few" "$1"
}

test_neighbours_are_not_made_up() {
    need_world
    cat >neighbours.py <<'P'
import socket
device = [n for _, n in socket.if_nameindex() if n != "lo"][0]
for group in "169.254.7", "127.7.7", "10.0.2", "198.51.100", "239.1.1":
    for bound in False, True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            if bound:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
            for n in range(4, 100):
                try:
                    s.sendto(b"x", (f"{group}.{n}", 9))
                except OSError:
                    pass
try:
    six = sorted({line.split()[5] for line in open("/proc/net/if_inet6")})
except OSError:
    six = ["lo"]
print("IPv6 devices:", *(six or ["lo"]))
try:
    known = len(open("/proc/net/arp").readlines()) - 1
except OSError:
    known = 0  # gVisor's own, which are not the kernel's
print("neighbours:", "few" if known <= 4 else known)
P
    RUNTIMES='native crun runc' each_runtime neighbours
}

no_way_in() {
    what "$1"
    cat >listen.py <<'P'
import socket
s = socket.create_server(("0.0.0.0", 9999))
print("listening", flush=True)
while True:
    s.accept()[0].sendall(b"here is the workload")
P
    cofferdam run "${OPTIONS[@]}" --name n --detach --mount "$PWD/listen.py:/listen.py" -- \
        python3 /listen.py >/dev/null
    await 20 sh -c "'$COFFERDAM' logs n | grep -q listening"
    local place
    for place in 127.0.0.1 $HOST 10.0.2.100; do
        reach "$place" 9999 && fail "$1: $place leads in"
    done
    cofferdam kill n
}

test_nothing_leads_in() {
    need_world
    trap end_all EXIT
    each_runtime no_way_in
}

# translators: those of ours, by what they are called with.
translators() {
    local pid
    for pid in /proc/[0-9]*; do
        [ "$(tr '\0' ' ' 2>/dev/null <"$pid/cmdline" | cut -d' ' -f1)" = slirp4netns ] &&
            [ "$(stat -c %u "$pid" 2>/dev/null)" = "$(id -u)" ] &&
            [ "$(readlink "$pid/ns/net")" = "$(readlink /proc/self/ns/net)" ] && echo "${pid#/proc/}"
    done
    :
}
none_translates() { [ -z "$(translators)" ]; }

# filters PROCESS: how many system call filters lie around it; nothing where the kernel does not say.
filters() { sed -n 's/^Seccomp_filters:\t//p' "/proc/$1/status"; }

ends_with_it() {
    what "$1"
    cofferdam run "${OPTIONS[@]}" --name n --detach -- sleep 600 >/dev/null
    local pid
    pid=$(translators)
    [ -n "$pid" ] || fail "$1: nobody translates"
    grep -q '^Seccomp:.*2' "/proc/$pid/status" || fail "$1: no filter"
    grep -q '^NoNewPrivs:.*1' "/proc/$pid/status" || fail "$1: new privileges"
    [ -z "$(filters self)" ] || [ "$(filters "$pid")" -ge $(($(filters self) + 2)) ] || fail "$1: no filter of ours"
    cofferdam kill n
    await 10 none_translates
    cofferdam run "${OPTIONS[@]}" --name n --detach -- sleep 600 >/dev/null
    kill -9 "$(sed -n 's/^PPid:\t//p' "/proc/$(translators)/status")"
    await 10 none_translates
    cofferdam ps >/dev/null
    cofferdam prune --force >/dev/null 2>&1 || :
}

test_the_translator_ends_with_it() {
    need_world
    trap end_all EXIT
    each_runtime ends_with_it
}

counted() {
    what "$1"
    cat_reach >reach.py
    echo 'import runpy, sys, time
for i in range(20): runpy.run_path("/reach.py")
print("done", flush=True)
time.sleep(600)' >often.py
    cofferdam run "${OPTIONS[@]}" --name n --detach --mount "$PWD/reach.py:/reach.py" \
        --mount "$PWD/often.py:/often.py" -- python3 /often.py $FAR:80 >/dev/null
    await 20 sh -c "'$COFFERDAM' logs n | grep -q done"
    cofferdam stats --json n >counts
    json 'min(d["stats"][0][k] for k in ("network_in", "network_out")) > 1000' <counts | grep -q True ||
        fail "$1: $(cat counts)"
    cofferdam kill n
}

test_what_goes_through_is_counted() {
    need_world
    trap end_all EXIT
    each_runtime counted
}

# A machine's program makes the guest's connections, in a network namespace that has a translator.
MACHINE=(--boundary microvm --runtime qemu --accel tcg --image small --network private --set resources.limits=best-effort)

# machine_inside PLACE…: who answers there.
machine_inside() {
    cofferdam run "${MACHINE[@]}" -- sh -c 'for p; do
        w=4; [ "$p" != 198.51.100.2:80 ] || w=30
        echo "$p $(busybox nc -w $w "${p%:*}" "${p#*:}" </dev/null 2>/dev/null | head -c 100)"; done' sh "$@"
}

test_a_machine_leads_out() {
    need_world
    need_machine
    trap end_all EXIT
    serve_here
    machine_inside $FAR:80 127.0.0.1:8081 10.0.2.2:8081 10.0.2.3:8081 10.0.2.100:8081 $HOST:8081 \
        169.254.1.1:80 ${CLOUDS// /:80 }:80 >got
    expect_equal "$(grep 'here is' got)" "$FAR:80 here is 198.51.100.2"
    expect_equal "$(wc -l <got)" 11
    cofferdam run "${MACHINE[@]}" -- busybox nslookup far.test >got
    grep -q "Address.* $FAR$" got || fail "names: $(cat got)"
}

# what_it_has NAME: its card's address, and who answers it.
what_it_has() { cofferdam logs "$1" | tail -1; }
has_said() { [ "$(cofferdam logs "$1" | grep -c 'here is')" -gt "$2" ]; }

test_a_machine_s_clones_have_cards_of_their_own() {
    need_world
    need_machine
    trap end_clones EXIT
    cofferdam run "${MACHINE[@]}" --name n --detach -- sh -c 'while :; do
        echo "$(cat /sys/class/net/eth0/address) $(busybox nc -w 4 198.51.100.2 80 </dev/null)"; sleep 0.2; done' >/dev/null
    await 30 has_said n 2
    cofferdam stats --json n >counts
    json 'min(d["stats"][0][k] for k in ("network_in", "network_out")) > 100' <counts | grep -q True || fail "$(cat counts)"
    cofferdam snapshot create n --name s >/dev/null
    cofferdam clone s --number 2 >/dev/null
    local w
    for w in n n-1 n-2; do
        await 30 has_said $w "$(cofferdam logs $w | grep -c 'here is')"
        what_it_has $w >>last
    done
    expect_equal "$(cut -d' ' -f1 last | sort -u | wc -l)" 3 "addresses: $(cat last)"
    end_clones
    await 20 nothing_runs
    await 10 none_translates
    cofferdam snapshot rm --force s >/dev/null
}
end_clones() { for w in n n-1 n-2; do cofferdam kill $w >/dev/null 2>&1 || :; done; }

test_a_machine_s_translator_ends_with_it() {
    need_world
    need_machine
    trap end_all EXIT
    cofferdam run "${MACHINE[@]}" --name n --detach -- sleep 600 >/dev/null
    kill -9 "$(sed -n 's/^PPid:\t//p' "/proc/$(translators)/status")"
    await 10 none_translates
    await 10 nothing_runs
    cofferdam ps >/dev/null
    cofferdam prune --force >/dev/null 2>&1 || :
}

# A machine whose program has its card on a tap: stand-ins with a made-up guest, whose tap is then lent to one that
# can do all a guest could.
card_of() { # PROGRAM SETTING…
    local program=$1
    fake_vmm "$@"
    faked "$program" --network private --set resources.limits=best-effort --detach --name n -- sleep 600 >id
    PID=$(pgrep -f "^/$program --id $(cat id) .*--api-sock|^$PWD/bin/$program --api-sock" | head -n 1)
    [ -n "$PID" ] || fail "$program does not run"
}
no_card() { ! pgrep -f "^/firecracker --id $(cat id) .*--api-sock|^$PWD/bin/[a-z-]* --api-sock" >pids; }

behind_its_card() {
    expect_equal "$(awk '$6 != "lo"' "/proc/$PID/net/if_inet6" 2>/dev/null)" "" "IPv6 of the card"
    leads_out card
    closed card
    : >heard
    knocks card
    cofferdam stats --json n >counts
    json 'min(d["stats"][0][k] for k in ("network_in", "network_out")) > 1000' <counts | grep -q True || fail "$(cat counts)"
    grep -q '^Seccomp:.*2' "/proc/$(translators)/status" || fail "no filter around the translator"
    cofferdam kill n
    await 10 none_translates
    await 10 no_card
}

test_a_card_leads_to_no_more_than_a_workload() {
    need_world
    need root pgrep
    trap end_all EXIT
    serve_here
    cat_knock >knock.py
    card_of firecracker version=1.14.2
    behind_its_card
    card_of cloud-hypervisor version=43.0
    behind_its_card
    rm -f "$XDG_CACHE_HOME/cofferdam/machine/firecracker"
    cp "$BUILD_DIR/tests/tools/fake-jailer" bin/jailer
    card_of firecracker version=1.14.2
    expect_equal "$(readlink "/proc/$PID/exe")" /firecracker "the jailer's"
    behind_its_card
}

# Asked by the stand-in itself, in its jail, with nobody's help; clones know the gateway by the name it had before.
test_a_card_and_its_clones() {
    need_world
    trap end_all EXIT
    local program
    for program in firecracker cloud-hypervisor; do
        fake_vmm $program
        capture faked $program --network private --set resources.limits=best-effort -- ask far.test
        expect_status 0
        expect_out $FAR
        faked $program --network private --set resources.limits=best-effort --detach --name n -- sleep 600 >id
        capture cofferdam exec n -- ask far.test
        expect_out $FAR
        cofferdam snapshot create n --name s >out
        capture cofferdam exec n -- ask far.test
        expect_out $FAR
        cofferdam clone s --number 2 >out
        capture cofferdam exec n-1 -- ask far.test
        expect_out $FAR
        capture cofferdam exec n-2 -- ask far.test
        expect_out $FAR
        cofferdam kill n n-1 n-2
        cofferdam snapshot rm --force s >out
        await 10 none_translates
    done
}

# The machine goes with its monitor, and so does who translates for it.
test_a_card_s_translator_ends_with_it() {
    need_world
    trap end_all EXIT
    card_of firecracker
    kill -9 "$(sed -n 's/^PPid:\t//p' "/proc/$(translators)/status")"
    await 10 none_translates
    await 10 no_card
    cofferdam ps >out
    cofferdam prune --force >out 2>&1 || :
}

refused() {
    local text=$1
    shift
    capture cofferdam run "$@" -- true
    expect_status 125
    expect_err_has "$text"
}

test_what_it_cannot_be_is_refused() {
    need userns
    local runtime
    for runtime in native crun runc; do
        refused 'network.mode = private with isolation.capabilities = net-raw' --runtime $runtime \
            --network private --set isolation.capabilities=net-raw
        refused 'net-admin' --runtime $runtime --network private \
            --set isolation.capabilities=net-admin --set isolation.user=root
    done
    refused 'network.mode = allow-list' --network allow-list
    refused 'network.publish' --network private --set network.publish=8080:80
}

test_without_a_device_it_is_refused() {
    need root slirp4netns
    local runtime
    for runtime in $RUNTIMES; do
        [ "$runtime" = native ] || have "$runtime" || continue
        what "$runtime"
        capture unshare --mount --propagation private sh -c \
            'mount -t tmpfs none /dev/net && exec "$@"' sh "$COFFERDAM" run "${OPTIONS[@]}" -- true
        expect_status 125
        expect_err_has "network.mode = private: /dev/net/tun: No such file or directory"
        expect_err_has "modprobe tun"
    done
    capture unshare --mount --propagation private sh -c \
        'mount -t tmpfs none /dev/net && exec "$@"' sh "$COFFERDAM" doctor
    expect_out_has "network.mode = private: slirp4netns"
    expect_out_has "modprobe tun"
}

# As systemd has them the host's mounts are shared: what lets go of its copy of one takes it away from the host.
mounts_stay() { # RUNTIME [ARGUMENT…]
    local network
    what "$1"
    for network in none private; do
        [ $network = none ] || { have slirp4netns && [ -w /dev/net/tun ]; } || continue
        capture unshare --mount --propagation shared sh -c 'at() { cut -d " " -f 5 /proc/self/mountinfo; }
            mount -t tmpfs below "$0" && before=$(at) && "$@" && after=$(at) && [ "$after" = "$before" ] ||
            { echo "$before" >before; echo "$after" | diff before -; exit 1; }' \
            "$T/below" "$COFFERDAM" run "${OPTIONS[@]}" --network $network "${@:2}" -- true
        expect_status 0
    done
}
test_the_host_s_mounts_stay() {
    need root
    mkdir below
    each_runtime mounts_stay
    have qemu-system-x86_64 || return 0
    need_machine
    mounts_stay qemu --image small --memory 192M --cpus 1 --boundary microvm
}

run_tests "$@"
