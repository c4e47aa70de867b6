"""The rows of tests/bench/microvm, which says what they are: FOLDER ROUNDS OPTION…"""
import json, os, shutil, subprocess, sys, time

FOLDER, ROUNDS, MACHINE = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
OURS = os.environ["COFFERDAM"]
COUNT = {name: int(os.environ[name]) for name in ("CLONES", "IDLE", "IDLE_S", "BOOTS")}
PARTS = os.environ["PARTS"].split()
median = lambda values: sorted(values)[len(values) // 2]


def target(what, value, most, unit=""):
    print("target: %s at most %g%s: %.3f%s, %s" % (what, most, unit, value, unit, "met" if value <= most else "MISSED"))


def call(*words):
    return subprocess.run([OURS, *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout


def kill_all():
    names = call("ps", "--quiet").split()
    if names:
        subprocess.run([OURS, "kill", *names], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def plain_argv(also=""):
    plan = json.load(open(FOLDER + "/plan"))
    while "machine" not in plan:
        plan = plan.get("plan") or plan["plans"][0]
    m = plan["machine"]
    initrd = FOLDER + "/initramfs"
    if not os.path.exists(initrd):  # of ours the modules alone
        tree = FOLDER + "/plain"
        subprocess.run(["busybox", "cpio", "-idu"], cwd=tree, stdin=open(m["initramfs"], "rb"), check=True, stderr=subprocess.DEVNULL)
        os.unlink(tree + "/init")
        shutil.copy2(os.environ["PLAIN_INIT"], tree + "/init")
        names = "\n".join(os.path.relpath(os.path.join(d, n), tree) for d, ds, fs in os.walk(tree) for n in sorted(ds + fs))
        with open(initrd, "wb") as f:
            subprocess.run(["busybox", "cpio", "-o", "-H", "newc", "-R", "0:0"], cwd=tree, input=names.encode(), stdout=f,
                stderr=subprocess.DEVNULL, check=True)
    return ["qemu-system-x86_64", "-M", "microvm,auto-kernel-cmdline=off", "-accel", "tcg,tb-size=64", "-cpu",
        "qemu64,+arat", "-m", "192", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial",
        "stdio", "-global", "virtio-mmio.force-legacy=false", "-kernel", m["kernel"], "-initrd", initrd, "-drive",
        "if=none,id=root,format=raw,readonly=on,file=" + m["root"], "-device", "virtio-blk-device,drive=root",
        "-append", "console=ttyS0 quiet panic=-1 reboot=t tsc_early_khz=%d tsc=reliable no_timer_check "
        "cryptomgr.notests initcall_blacklist=init_kprobe_trace,load_system_certificate_list,slab_sysfs_init%s"
        % (m["tsc_khz"], also)]


def until_ready(argv):
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = b""
    while b"ready" not in seen:
        chunk = os.read(p.stdout.fileno(), 4096)
        if not chunk:
            sys.exit("%s: %s %s" % (argv[0], seen, p.stderr.read()))
        seen += chunk
    return p


def once(argv):
    start = time.monotonic()
    p = until_ready(argv)
    first = time.monotonic() - start
    p.stdout.read()
    p.wait()
    return first * 1000, (time.monotonic() - start) * 1000


def look(j, name):
    """The value of that name, wherever it stands."""
    if isinstance(j, dict):
        if name in j:
            return j[name]
        j = list(j.values())
    for one in j if isinstance(j, list) else []:
        got = look(one, name)
        if got is not None:
            return got
    return None


def processes():
    """Of what runs here now: name -> [(monitor, QEMU)]."""
    found = {}
    for word in call("ps", "--quiet").split():
        j = json.loads(call("inspect", "--json", word))
        found[word] = (look(j, "monitor_pid"), look(j, "pid"))
    return found


def pss(pid):
    """MiB; nan where only root may know it: these processes are closed to their own user."""
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return sum(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024
    except PermissionError:
        return float("nan")


def ticks(pids):
    fields = (open("/proc/%d/stat" % p).read().rsplit(")", 1)[1].split() for p in pids)
    return sum(int(f[11]) + int(f[12]) for f in fields)


def run():
    ways = {"qemu by hand": plain_argv(), "  nothing else": plain_argv(" bare=1"), "cofferdam": [OURS, "run", *MACHINE, "--", "/bin/echo", "ready"]}
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, argv in ways.items():
            times[name].append(once(argv))
    print("%-14s %10s %10s %10s %10s" % ("ms", "first byte", "median", "end", "median"))
    for name, list_ in times.items():
        a, b = [t[0] for t in list_], [t[1] for t in list_]
        print("%-14s %10.0f %10.0f %10.0f %10.0f" % (name, min(a), median(a), min(b), median(b)))
    for i, what in ((0, "first byte"), (1, "end")):
        a, b = [[t[i] for t in times[n]] for n in ("cofferdam", "qemu by hand")]
        target("%s, x qemu by hand (least: %.3f)" % (what, min(a) / min(b)), median(a) / median(b), 1.05)
    return median([t[0] for t in times["cofferdam"]])


def memory():
    p = until_ready(plain_argv(" waits=1"))
    time.sleep(1)
    by_hand = pss(p.pid)
    p.kill()
    p.wait()
    call("run", "--detach", *MACHINE, "--", "/bin/sleep", "600")
    time.sleep(1)
    (monitor, qemu), = processes().values()
    print("overhead, proportional set size with an idle guest of 192M: QEMU by hand %.1f MiB, ours %.1f MiB (%.2f x),"
        " its monitor %.1f MiB" % (by_hand, pss(qemu), pss(qemu) / by_hand, pss(monitor)))
    kill_all()


def phase(word, name):
    for p in look(json.loads(call("inspect", "--json", word)), "phases") or []:
        key, us = (p["name"], p["us"]) if isinstance(p, dict) else p.split("=")
        if key == name:
            return int(us) / 1000
    return 0


def clones(cold):
    call("run", "--detach", *MACHINE, "--name", "first", "--", "/bin/sleep", "600")
    call("snapshot", "create", "first", "--name", "of-first")
    call("kill", "first")
    start = time.monotonic()
    call("clone", "of-first", "--number", str(COUNT["CLONES"]))
    all_ms = (time.monotonic() - start) * 1000
    words = call("ps", "--quiet").split()
    each = [phase(w, "root") - phase(w, "sockets") for w in words]
    sizes = [pss(q) for _, q in processes().values()]
    kill_all()
    alone = []
    for n in range(ROUNDS):
        call("clone", "of-first", "--name", "alone-%d" % n)
        alone.append(phase("alone-%d" % n, "root") - phase("alone-%d" % n, "sockets"))
        kill_all()
    call("snapshot", "rm", "--force", "of-first")
    print("%d clones: %.0f ms each in turn, %.0f ms of it from exec to the agent's word; %.1f MiB each"
        " (a script of QEMU alone: 42 ms, 18 MiB)" % (len(words), all_ms / len(words), median(each), median(sizes)))
    print("one clone at a time: exec to the agent's word, identity refreshed: least %.0f, median %.0f ms"
        % (min(alone), median(alone)))
    if cold:
        target("a clone, x a cold boot", median(alone) / cold, 0.08)


def idle():
    under_way = []
    for n in range(COUNT["IDLE"]):
        under_way.append(subprocess.Popen([OURS, "run", "--detach", *MACHINE, "--", "/bin/sleep", "3600"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        while len(under_way) > 4 or (under_way and n + 1 == COUNT["IDLE"]):
            if under_way.pop(0).wait():
                sys.exit("an idle machine did not start")
    time.sleep(5)
    both = list(processes().values())
    qemus, monitors = [q for _, q in both], [m for m, _ in both]
    before = ticks(qemus), ticks(monitors)
    time.sleep(COUNT["IDLE_S"])
    after = ticks(qemus), ticks(monitors)
    hz = os.sysconf("SC_CLK_TCK")
    share = [(b - a) / hz / COUNT["IDLE_S"] / len(both) * 100 for a, b in zip(before, after)]
    print("%d idle machines for %d s: %.1f MiB each; monitors %.3f %% each" % (len(both), COUNT["IDLE_S"],
        median([pss(q) for q in qemus]), share[1]))
    target("an idle machine's share of a processor", share[0], 0.6, " %")
    kill_all()


def boots():
    todo, under_way, arrived = COUNT["BOOTS"], [], 0
    while todo or under_way:
        while todo and len(under_way) < 6:
            todo -= 1
            under_way.append(subprocess.Popen([OURS, "run", *MACHINE, "--", "/bin/true"], stdin=subprocess.DEVNULL))
        arrived += under_way.pop(0).wait() == 0
    print("cold boots, six at a time: %d of %d arrived, %s" % (arrived, COUNT["BOOTS"],
        "met" if arrived == COUNT["BOOTS"] else "MISSED"))


cold = run() if "run" in PARTS else 0
for name, part in (("memory", memory), ("clones", lambda: clones(cold)), ("idle", idle), ("boots", boots)):
    if name in PARTS:
        part()
