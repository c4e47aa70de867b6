#!/usr/bin/env python3
"""A guest's card without a guest: the tap a machine's program has open (PID's) is the other end of
eth0 in a network namespace of its own, with the address and the name server a guest is given, where
COMMAND runs. usage: card.py PID COMMAND [ARGUMENT...]"""
import ctypes, fcntl, os, select, struct, subprocess, sys, tempfile

TUNSETIFF, TUNSETVNETHDRSZ, TUNSETOFFLOAD = 0x400454CA, 0x400454D8, 0x400454D0
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 2, 0x1000, 0x4000
CLONE_NEWNS, CLONE_NEWNET, MS_REC, MS_PRIVATE, MS_BIND = 0x20000, 0x40000000, 0x4000, 1 << 18, 0x1000
SYS_pidfd_open, SYS_pidfd_getfd = 434, 438
libc = ctypes.CDLL(None, use_errno=True)


def must(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def its_tap(pid):
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/net/tun":
            pidfd = must(libc.syscall(SYS_pidfd_open, pid, 0))
            return must(libc.syscall(SYS_pidfd_getfd, pidfd, int(fd), 0))
    raise SystemExit("it has no tap")


def eth0():
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"eth0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", 12))
    fcntl.ioctl(fd, TUNSETOFFLOAD, 7)  # as its guest's driver would take it
    for words in "link set lo up", "link set eth0 up", "addr add 10.0.2.15/24 dev eth0", "route add default via 10.0.2.2":
        subprocess.run(["ip", *words.split()], check=True)
    return fd


def names():
    must(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("nameserver 10.0.2.3\n")
        f.flush()
        place = os.path.realpath("/etc/resolv.conf").encode()
        must(libc.mount(f.name.encode(), place, None, MS_BIND, None))


def main():
    other = its_tap(int(sys.argv[1]))
    must(libc.unshare(CLONE_NEWNET | CLONE_NEWNS))
    own = eth0()
    names()
    child = subprocess.Popen(sys.argv[2:])
    over = os.pidfd_open(child.pid)
    while True:
        ready, _, _ = select.select([own, other, over], [], [])
        for fd in ready:
            if fd == over:
                sys.exit(child.wait())
            try:
                os.write(other if fd == own else own, os.read(fd, 70000))
            except BlockingIOError:
                pass


main()
