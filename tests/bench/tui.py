"""Drives programs on a pty and takes times: first PROGRAM… | idle SECONDS PROGRAM… | keys PROGRAM | flood PROGRAM

A program may be a command line with blanks.
"""
import fcntl
import json
import os
import pty
import random
import select
import signal
import statistics
import struct
import sys
import termios
import time


def start(program):
    """On a terminal of 120 by 40. Returns its process and our end."""
    begun = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        argv = program.split()
        os.execv(argv[0], argv)
    return pid, fd, begun


def read_for(fd, seconds):
    """Reads and forgets; the time of the first byte and of the last, or None; how many there were."""
    first = last = None
    count = 0
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if not select.select([fd], [], [], left)[0]:
            break
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        count += len(data)
        last = time.monotonic()
        first = first or last
    return first, last, count


def stop(pid, fd):
    os.kill(pid, signal.SIGTERM)
    read_for(fd, 0.05)
    os.close(fd)
    _, _, used = os.wait4(pid, 0)
    return used.ru_utime + used.ru_stime


# What stands on each one's first frame, and on nothing before it: setting up a terminal is no frame.
FRAME = {"cofferdam": b"NAME", "htop": b"PID", "btop": b"proc", "top": b"PID"}


def first(programs):
    times = {p: [] for p in programs}
    for _ in range(20):
        for program in programs:
            pid, fd, begun = start(program)
            seen, wanted = b"", FRAME[os.path.basename(program.split()[0])]
            while wanted not in seen and select.select([fd], [], [], 5)[0]:
                seen += os.read(fd, 65536)
            times[program].append((time.monotonic() - begun) * 1000)
            stop(pid, fd)
    for program, list_ in times.items():
        print(f"  {os.path.basename(program):<12} {statistics.median(list_):8.1f}")


def ticks_of(pid):
    """Its own, and those of processes it keeps beside it."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    children = open(f"/proc/{pid}/task/{pid}/children").read().split()
    return sum(map(int, fields[11:15])) + sum(map(ticks_of, children))


def monitors():
    """The processes that keep the workloads, which answer while they are watched."""
    place, found = os.environ["XDG_RUNTIME_DIR"] + "/cofferdam", []
    for one in os.listdir(place):
        try:
            found.append(json.load(open(f"{place}/{one}/state"))["monitor_pid"])
        except (OSError, ValueError, KeyError):
            pass
    return found


def used_by(pids):
    """Milliseconds; a thread each, and no children worth counting."""
    return sum(int(open(f"/proc/{p}/schedstat").read().split()[0]) for p in pids) / 1e6


def idle(seconds, programs):
    for program in programs:
        name = "podman stats" if "podman" in program else os.path.basename(program.split()[0])
        ours = monitors() if name == "cofferdam" else []
        pid, fd, _ = start(program)
        read_for(fd, 2)
        if name == "cofferdam":
            os.write(fd, b">>>>")  # sorted by what changes: then every one is asked each second, seen or not
            read_for(fd, 2)
        before, others, drawn = ticks_of(pid), used_by(ours), 0
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            drawn += read_for(fd, left)[2]
        used = (ticks_of(pid) - before) * 1000 / os.sysconf("SC_CLK_TCK")
        print(f"  {name:<12} {used:8.0f}   {drawn / seconds:8.0f} bytes drawn a second", flush=True)
        if ours:
            print(f"  {'':<12} {used_by(ours) - others:8.0f}   in its {len(ours)} monitors, which count for it", flush=True)
        stop(pid, fd)


def keys(program):
    pid, fd, _ = start(program)
    read_for(fd, 3)
    times = []
    for i in range(400):
        read_for(fd, random.uniform(0.02, 0.06))
        os.write(fd, b"j" if i % 20 < 10 else b"k")
        begun = time.monotonic()
        if select.select([fd], [], [], 1)[0]:
            at = time.monotonic()
            times.append((at - begun) * 1000)
    stop(pid, fd)
    tell(times)


# In no escape sequence, and nothing that floods a pane: who types one sees it in the next frame.
SIGNS = b"!%&=+~^"


def flood(program):
    """The first workload's console is open and full of what it writes; keys go to the line behind ":"."""
    pid, fd, _ = start(program)
    read_for(fd, 3)
    os.write(fd, b"g\r")
    read_for(fd, 2)
    os.write(fd, b"\x1d\t:")
    read_for(fd, 1)
    times = []
    for i in range(400):
        read_for(fd, random.uniform(0.02, 0.06))
        if i % 40 == 39:
            os.write(fd, b"\x15")
            read_for(fd, 0.1)
        sign = SIGNS[i % len(SIGNS):i % len(SIGNS) + 1]
        os.write(fd, sign)
        begun = time.monotonic()
        while time.monotonic() - begun < 1:
            if select.select([fd], [], [], 1)[0] and sign in os.read(fd, 65536):
                times.append((time.monotonic() - begun) * 1000)
                break
    stop(pid, fd)
    tell(times)


def tell(times):
    times.sort()
    print(f"  median {statistics.median(times):.2f}, p99 {times[len(times) * 99 // 100]:.2f}, "
          f"most {times[-1]:.2f}, of {len(times)}")


if sys.argv[1] == "first":
    first(sys.argv[2:])
elif sys.argv[1] == "idle":
    idle(float(sys.argv[2]), sys.argv[3:])
elif sys.argv[1] == "flood":
    flood(sys.argv[2])
else:
    keys(sys.argv[2])
