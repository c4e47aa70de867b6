"""Tars that nobody honest would make; see make-hostile."""
import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zlib


def member(name, kind=tarfile.REGTYPE, data=b"", link="", mode=0o644, pax=None, **more):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(data)
    info.linkname = link
    info.mode = mode
    info.pax_headers = pax or {}
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def d(name, mode=0o755, **more):
    return member(name, tarfile.DIRTYPE, mode=mode, **more)


def sym(name, link):
    return member(name, tarfile.SYMTYPE, link=link, mode=0o777)


def hard(name, link):
    return member(name, tarfile.LNKTYPE, link=link)


def tar(*members, form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as t:
        for info, data in members:
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def raw(name=b"file", size=b"00000000000\0", kind=b"0", data=b"", magic=b"ustar\00000", checksum=None,
        middle=b""):
    """A header by hand; `middle` stands where POSIX has the prefix."""
    h = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + size + b"00000000000\0"
    h += b" " * 8 + kind + b"\0" * 100 + magic + b"\0" * 80 + middle
    h = h.ljust(512, b"\0")
    total = checksum if checksum is not None else sum(h)
    h = h[:148] + b"%06o\0 " % total + h[156:]
    return h + data + b"\0" * (-len(data) % 512)


END = b"\0" * 1024


def summed(h):
    """A changed header with the check sum it needs now."""
    return h[:148] + b"%06o\0 " % sum(h[:148] + b" " * 8 + h[156:512]) + h[156:]


def pax(records):
    return raw(b"pax", b"%011o\0" % len(records), b"x", records)


def record(key, value):
    size = len(key) + len(value) + 3
    n = size + 1
    while len(str(n)) + size != n:
        n += 1
    return b"%d %s=%s\n" % (n, key, value)


def sparse(pieces, real):
    body = b"".join(b"%011o\0%011o\0" % p for p in pieces)
    middle = b"\0" * 41 + body.ljust(96, b"\0") + b"\0" + b"%011o\0" % real
    stored = sum(p[1] for p in pieces)
    return raw(b"sparse", b"%011o\0" % stored, b"S", b"x" * stored, b"ustar  \0", None, middle)


def refused_tars():
    etc = d("etc/")
    yield "dotdot", tar(member("../escape"))
    yield "dotdot-in-the-middle", tar(etc, member("etc/../../escape"))
    yield "dotdot-inside", tar(etc, member("etc/../escape"))
    yield "through-a-link", tar(sym("l", "/tmp"), member("l/escape"))
    yield "through-a-relative-link", tar(sym("l", "../../.."), member("l/escape"))
    yield "through-a-link-to-a-link", tar(sym("a", "b"), sym("b", "/tmp"), member("a/escape"))
    yield "through-a-link-inside", tar(etc, sym("l", "etc"), member("l/file"))
    yield "folder-through-a-link", tar(sym("l", "/tmp"), d("l/escape/"))
    yield "folder-then-link", tar(d("a/"), sym("a", "/tmp"), member("a/escape"))
    yield "through-a-file", tar(member("f"), member("f/escape"))
    yield "link-through-a-link", tar(sym("l", "/tmp"), sym("l/escape", "x"))
    yield "hard-link-out", tar(hard("h", "../../../../etc/passwd"))
    yield "hard-link-absolute", tar(hard("h", "/etc/passwd"))
    yield "hard-link-through-a-link", tar(sym("l", "/etc"), hard("h", "l/passwd"))
    yield "hard-link-to-itself", tar(member("h"), hard("h", "h"))
    yield "hard-link-to-a-folder", tar(etc, hard("h", "etc"))
    yield "hard-link-to-a-whiteout", tar(member(".wh.gone"), hard("h", ".wh.gone"))
    yield "hard-link-to-what-hides", tar(member(".wh.gone"), hard("h", "gone"))
    yield "hard-link-to-a-device", tar(member("dev", tarfile.CHRTYPE, devmajor=1, devminor=3), hard("h", "dev"))
    yield "whiteout-of-nothing", tar(member(".wh."))
    yield "whiteout-of-dot", tar(member(".wh.."))
    yield "whiteout-of-dotdot", tar(member(".wh..."))
    yield "whiteout-that-is-a-folder", tar(d(".wh.a/"))
    yield "whiteout-that-is-a-link", tar(sym(".wh.a", "/etc"))
    yield "below-a-whiteout", tar(member(".wh.a/b"))
    yield "whiteout-that-is-a-device", tar(member(".wh.a", tarfile.CHRTYPE, devmajor=0, devminor=0))
    yield "whiteout-that-is-a-fifo", tar(member(".wh.a", tarfile.FIFOTYPE))
    yield "whiteout-through-a-link", tar(sym("l", "/etc"), member("l/.wh.passwd"))
    yield "whiteout-through-dotdot", tar(etc, member("etc/../../.wh.passwd"))
    yield "whiteout-absolute-out", tar(member("/../.wh.etc"))
    yield "opaque-that-is-a-link", tar(etc, sym("etc/.wh..wh..opq", "/etc"))
    yield "opaque-that-is-a-folder", tar(etc, d("etc/.wh..wh..opq/"))
    yield "opaque-that-is-a-device", tar(etc, member("etc/.wh..wh..opq", tarfile.CHRTYPE, devmajor=1, devminor=3))
    yield "opaque-through-a-link", tar(sym("l", "/tmp"), member("l/.wh..wh..opq"))
    yield "whiteout-of-a-link-then-through-it", tar(sym("l", "/tmp"), member(".wh.l"), member("l/escape"))
    yield "link-then-folder-below", tar(sym("l", "/tmp"), member("l/a/b/c/escape"))
    yield "link-to-the-parent", tar(d("a/"), sym("a/up", ".."), member("a/up/escape"))
    yield "link-to-itself", tar(sym("l", "l"), member("l/escape"))
    yield "links-in-a-ring", tar(sym("a", "b"), sym("b", "a"), member("a/escape"))
    yield "link-to-proc", tar(sym("l", "/proc/self/root"), member("l/escape"))
    yield "link-to-a-descriptor", tar(sym("l", "/proc/self/fd/0"), member("l/escape"))
    yield "hard-link-to-a-link-then-through-it", tar(sym("l", "/tmp"), hard("h", "l"), member("h/escape"))
    yield "folder-replaced-by-a-link", tar(d("a/"), d("a/b/"), member(".wh.a"), sym("a", "/tmp"), member("a/b/escape"))
    yield "hard-link-dotdot-inside", tar(etc, member("f"), hard("h", "etc/../f"))
    yield "hard-link-to-nothing", tar(hard("h", "nothing"))
    yield "hard-link-to-what-comes-later", tar(hard("h", "later"), member("later"))
    yield "hard-link-empty", raw(b"h", kind=b"1") + END
    yield "hard-link-to-the-root", tar(hard("h", "./"))
    yield "hard-link-through-proc", tar(hard("h", "/proc/self/root/etc/passwd"))
    yield "dotdot-alone", tar(member(".."))
    yield "dotdot-at-the-end", tar(d("a/.."))
    yield "dotdot-absolute", tar(member("/../../../../../../tmp/escape"))
    yield "dotdot-folder", tar(d("../escape/"))
    yield "dotdot-link", tar(sym("../escape", "/etc/passwd"))
    yield "dotdot-device", tar(member("../escape", tarfile.CHRTYPE, devmajor=1, devminor=3))
    yield "dotdot-fifo", tar(member("../escape", tarfile.FIFOTYPE))
    yield "no-name", raw(b"") + END
    yield "content-of-a-link", raw(b"l", b"%011o\0" % 512, b"2", raw(b"hidden")) + END
    yield "content-of-a-hard-link", raw(b"f") + raw(b"l", b"%011o\0" % 512, b"1", raw(b"hidden")) + END
    yield "content-of-a-folder", raw(b"d/", b"%011o\0" % 512, b"5", raw(b"hidden")) + END
    yield "content-of-a-device", raw(b"c", b"%011o\0" % 512, b"3", raw(b"hidden")) + END
    yield "root-that-is-a-link", tar(sym("./", "/etc"))
    yield "root-that-is-a-file", tar(member("."))
    yield "empty-link", raw(b"l", kind=b"2") + END
    yield "long-name", tar(member("n" * 300))
    yield "deep", tar(member("d/" * 300 + "f"))
    yield "very-long-path", tar(member(("x" * 200 + "/") * 30 + "f"))
    yield "unknown-type", raw(kind=b"Z") + END
    yield "wrong-checksum", raw(checksum=1) + END
    yield "size-is-no-number", raw(size=b"hello world\0") + END
    yield "size-beyond-reason", raw(size=b"\x80" + b"\xff" * 11) + END
    yield "size-negative", raw(size=b"\xff" * 12) + END
    yield "size-lies", raw(size=b"%011o\0" % 100000, data=b"x" * 10)
    yield "ends-in-a-header", raw()[:300]
    yield "ends-behind-a-pax-header", pax(record(b"path", b"x"))
    yield "garbage", b"this is no archive at all, but long enough to hold a header " * 20
    yield "pax-nul-in-path", pax(record(b"path", b"a\0b")) + raw() + END
    yield "pax-nul-in-link", pax(record(b"linkpath", b"a\0b")) + raw(kind=b"2") + END
    yield "pax-dotdot", pax(record(b"path", b"../escape")) + raw() + END
    yield "pax-record-too-long", pax(b"99 path=x\n") + raw() + END
    yield "pax-record-without-end", pax(b"9 path=xx") + raw() + END
    yield "pax-record-of-nothing", pax(b"3 \n") + raw() + END
    yield "pax-length-huge", pax(b"99999999999999999999 path=x\n") + raw() + END
    yield "pax-size-huge", pax(record(b"size", b"9" * 25)) + raw() + END
    yield "pax-huge", raw(b"pax", b"%011o\0" % (64 << 20), b"x") + END
    yield "pax-size-larger-than-there-is", pax(record(b"size", b"100000")) + raw(data=b"") + END
    yield "pax-size-negative", pax(record(b"size", b"-1")) + raw() + END
    yield "pax-size-of-a-link", pax(record(b"size", b"512")) + raw(b"l", kind=b"2") + raw(b"hidden") + END
    yield "pax-size-smaller", pax(record(b"size", b"0")) + raw(size=b"%011o\0" % 600, data=b"x" * 600) + END
    yield "pax-path-empty", pax(record(b"path", b"")) + raw() + END
    yield "pax-link-through-dotdot", pax(record(b"linkpath", b"../../etc/passwd")) + raw(kind=b"1") + END
    yield "pax-key-nul", pax(record(b"pa\0th", b"x")) + raw() + END
    yield "pax-without-equals", pax(b"8 pathx\n") + raw() + END
    yield "pax-minus-length", pax(b"-8 path=x\n") + raw() + END
    yield "pax-length-zero", pax(b"0 path=x\n") + raw() + END
    yield "pax-time-nonsense", pax(record(b"mtime", b"1e9")) + raw() + END
    yield "pax-uid-nonsense", pax(record(b"uid", b"root")) + raw() + END
    yield "pax-sparse-name-out", pax(record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0") +
                                     record(b"GNU.sparse.name", b"../escape") + record(b"GNU.sparse.realsize", b"0")) + raw(size=b"%011o\0" % 512, data=b"0\n".ljust(512, b"\0")) + END
    yield "pax-behind-pax-path-out", pax(record(b"path", b"good")) + pax(record(b"path", b"../escape")) + raw() + END
    yield "pax-path-over-gnu-name", raw(b"././@LongLink", b"%011o\0" % 5, b"L", b"good\0") + pax(record(b"path", b"../escape")) + raw() + END
    for name, text in ("owner", record(b"uid", b"1000")), ("group", record(b"gid", b"5")), ("time", record(b"mtime", b"5")):
        yield "global-" + name, raw(b"g", b"%011o\0" % len(text), b"g", text) + raw() + END
    yield "global-size", raw(b"g", b"%011o\0" % 14, b"g", record(b"size", b"100000")[:14]) + raw() + END
    yield "global-link", raw(b"g", b"%011o\0" % len(record(b"linkpath", b"/etc/passwd")), b"g", record(b"linkpath", b"/etc/passwd")) + raw(kind=b"1") + END
    yield "global-xattr", raw(b"g", b"%011o\0" % len(record(b"SCHILY.xattr.user.a", b"1")), b"g", record(b"SCHILY.xattr.user.a", b"1")) + raw() + END
    yield "headers-without-end", pax(record(b"comment", b"x")) * 3
    yield "pax-xattr-twice", pax(record(b"SCHILY.xattr.user.a", b"1") * 2) + raw() + END
    yield "pax-xattrs-many", pax(b"".join(record(b"SCHILY.xattr.user.a%d" % i, b"1") for i in range(400))) + raw() + END
    yield "global-path", raw(b"g", b"%011o\0" % 18, b"g", record(b"path", b"../../up")) + raw() + END
    yield "gnu-name-with-nul", raw(b"././@LongLink", b"%011o\0" % 4, b"L", b"a\0b\0") + raw() + END
    yield "gnu-name-out", raw(b"././@LongLink", b"%011o\0" % 10, b"L", b"../escape\0") + raw() + END
    yield "gnu-link-out", raw(b"././@LongLink", b"%011o\0" % 12, b"K", b"/etc/passwd\0") + raw(kind=b"1") + END
    yield "gnu-name-empty", raw(b"././@LongLink", b"%011o\0" % 1, b"L", b"\0") + raw() + END
    yield "gnu-name-negative", raw(b"././@LongLink", b"\xff" * 12, b"L") + raw() + END
    yield "gnu-name-without-member", raw(b"././@LongLink", b"%011o\0" % 2, b"L", b"a\0")
    yield "gnu-multi-volume", raw(kind=b"M") + END
    yield "prefix-out", raw(b"escape", middle=b"..") + END
    yield "prefix-out-in-the-middle", raw(b"x", middle=b"a/../..") + END
    yield "owner-of-nobody", tar(member("a", uid=2**32 - 1, gid=2**32 - 1)) if os.getuid() == 0 else pax(record(b"uid", b"x")) + raw() + END
    yield "name-of-a-newline-out", tar(member("a\n/../../x"))
    yield "pax-path-of-a-dot", pax(record(b"path", b".")) + raw() + END
    yield "pax-size-of-a-folder", pax(record(b"size", b"1024")) + raw(b"d/", kind=b"5") + raw(b"hidden") + raw(b"hidden") + END
    yield "pax-comment-vast", pax(record(b"comment", b"x" * (1 << 20))) + raw() + END
    yield "volume-label", raw(b"vol", kind=b"V") + raw(b"f") + END
    yield "hard-link-of-aufs", tar(d(".wh..wh.plnk/"), member(".wh..wh.plnk/1.1", data=b"x"), hard("a", ".wh..wh.plnk/1.1"))
    yield "hard-link-to-itself-absolute", tar(member("h"), hard("h", "/h"))
    yield "hard-link-to-itself-dotted", tar(member("h"), hard("./h", "h"))
    yield "opaque-that-is-an-inner-folder", tar(d("a/.wh..wh..opq/"))
    pieces = (b"1000000\n" + b"".join(b"%d\n0\n" % i for i in range(1000000))).ljust(13 << 20, b"\0")
    yield "sparse-in-a-million-pieces", pax(record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0") +
                                            record(b"GNU.sparse.realsize", b"99999999999")) + raw(size=b"%011o\0" % len(pieces), data=pieces) + END
    yield "sparse-many-and-vast", b"".join(pax(record(b"GNU.sparse.size", b"53687091200") + record(b"GNU.sparse.map", b"0,0")) + raw(b"f%d" % i) for i in range(100)) + END
    yield "gnu-name-huge", raw(b"././@LongLink", b"%011o\0" % (1 << 30), b"L", b"a") + END
    yield "sparse-overlapping", sparse([(0, 100), (50, 100)], 1000) + END
    yield "sparse-outside", sparse([(5000, 100)], 1000) + END
    yield "sparse-wraps", pax(record(b"GNU.sparse.major", b"0") + record(b"GNU.sparse.size", b"100") +
                              record(b"GNU.sparse.map", b"4611686018427387900,100")) + raw(size=b"%011o\0" % 100, data=b"x" * 100) + END
    yield "sparse-map-lies", pax(record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0") +
                                 record(b"GNU.sparse.realsize", b"1000")) + raw(size=b"%011o\0" % 512, data=b"999999999\n0\n".ljust(512, b"1")) + END
    yield "sparse-vast", pax(record(b"GNU.sparse.size", b"4000000000000000000") + record(b"GNU.sparse.map", b"0,0")) + raw() + END
    yield "whiteout-behind-a-nul", pax(record(b"path", b".wh.a\0b")) + raw() + END
    yield "whiteout-of-nothing-below", tar(member("a/.wh."))
    yield "whiteout-of-dot-below", tar(member("a/.wh.."))
    yield "whiteout-of-the-root", tar(member("/.wh./"))
    yield "whiteouts-below-aufs-out", tar(d(".wh..wh.plnk/"), member(".wh..wh.plnk/../../escape"))
    yield "whiteout-of-a-link-that-is-a-link", tar(sym(".wh..wh..opq", "a"))
    yield "socket", raw(b"s", kind=b"s") + END
    yield "gnu-dump-folder", raw(b"d", b"%011o\0" % 3, b"D", b"Ya\0") + END
    yield "solaris-acl", raw(b"f", b"%011o\0" % 3, b"A", b"abc") + END
    yield "pax-of-solaris-out", raw(b"p", b"%011o\0" % len(record(b"path", b"../escape")), b"X", record(b"path", b"../escape")) + raw() + END
    yield "owner-negative", pax(record(b"uid", b"-1")) + raw() + END
    yield "xattr-nul", pax(record(b"SCHILY.xattr.user.a\0b", b"1")) + raw() + END
    yield "xattr-huge", pax(record(b"SCHILY.xattr.user.a", b"x" * 70000)) + raw() + END
    yield "xattr-long-name", pax(record(b"SCHILY.xattr.user." + b"n" * 300, b"x")) + raw() + END
    yield "xattr-without-name", pax(record(b"SCHILY.xattr.", b"x")) + raw() + END
    yield "hard-link-to-the-absolute-root", tar(hard("h", "/"))
    yield "hard-link-to-a-folder-then-through-it", tar(d("a/"), hard("b", "a"), member("b/escape"))
    yield "hard-links-in-a-ring", tar(hard("a", "b"), hard("b", "a"))
    yield "link-too-long", tar(sym("l", "x" * 5000))
    yield "folder-then-file-then-through-it", tar(d("a/"), member("a"), member("a/escape"))
    yield "open-folder-replaced-by-a-link", tar(d("a/"), member("a/x"), sym("a", "/tmp"), member("a/escape"))
    yield "pax-paths-two", pax(record(b"path", b"good") + record(b"path", b"../escape")) + raw() + END
    yield "pax-time-no-number", pax(record(b"mtime", b"nan")) + raw() + END
    yield "pax-time-vast", pax(record(b"mtime", b"9" * 400)) + raw() + END
    yield "sparse-size-negative", pax(record(b"GNU.sparse.realsize", b"-5") + record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")) + raw() + END
    yield "sparse-folder-out", pax(record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0") + record(b"GNU.sparse.name", b"../escape")) + raw(b"d/", kind=b"5") + END
    yield "zeros-in-the-middle", raw(b"a") + b"\0" * 512 + raw(b"hidden") + END
    yield "half-an-end", raw(b"a") + b"\0" * 100
    yield "content-without-padding", raw(b"a", b"%011o\0" % 100) + b"x" * 100
    yield "zip", b"PK\x03\x04" + b"\0" * 600
    yield "cpio", b"070701" + b"0" * 600
    yield "compress.Z", b"\x1f\x9d\x90" + b"\0" * 100
    yield "lzma", b"\x5d\0\0\x80\0" + b"\xff" * 100
    yield "lzip", b"LZIP\x01" + b"\0" * 100
    zeros = gzip.compress(b"\0" * (96 << 20), 9, mtime=0)
    yield "bomb.gz", zeros
    yield "bomb-of-a-file.gz", gzip.compress(raw(size=b"%011o\0" % (96 << 20)) + b"\0" * (96 << 20) + END, 9, mtime=0)
    whole = gzip.compress(tar(member("a", data=os.urandom(0) + bytes(range(256)) * 400)), 9, mtime=0)
    yield "cut-off.gz", whole[:len(whole) // 2]
    yield "without-its-checksum.gz", whole[:-8]
    yield "zeros-behind-it.gz", whole + b"\0" * 512
    yield "garbage-behind-it.zst", stored_zstd(tar(member("a"))) + b"garbage here"
    yield "cut-off-late.zst", stored_zstd(tar(member("a")))[:-3]
    yield "skips-first.zst", b"\x50\x2a\x4d\x18\xff\xff\xff\xff" + stored_zstd(tar(member("a")))
    yield "bomb-of-runs.zst", runs_of_zstd(96 << 20)
    yield "wrong-crc.gz", whole[:-8] + b"\0\0\0\0" + whole[-4:]
    yield "trailing-garbage.gz", whole + b"this is no gzip"
    yield "second-member-broken.gz", whole + whole[:-9] + b"\0" * 9
    yield "within-itself.gz", gzip.compress(whole, 9, mtime=0)
    yield "window-half-a-gigabyte.zst", b"\x28\xb5\x2f\xfd\x00" + bytes([19 << 3]) + b"\x01\x00\x00"
    yield "dictionary.zst", b"\x28\xb5\x2f\xfd\xa3" + b"\x01\x02\x03\x04" + struct.pack("<I", 100) + b"\x01\0\0"
    yield "skips-many-first.zst", b"\x50\x2a\x4d\x18\0\0\0\0" * 200000 + stored_zstd(tar(member("a")))
    yield "flags-reserved.gz", b"\x1f\x8b\x08\xe0" + whole[3:]
    yield "window-huge.zst", b"\x28\xb5\x2f\xfd\x00\xff" + b"\x01\x00\x00" * 4
    yield "garbage.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 100
    yield "bomb.xz", lzma.compress(b"\0" * (96 << 20), preset=0)
    yield "dictionary-huge.xz", huge_dictionary()
    yield "bomb.bz2", bz2.compress(b"\0" * (96 << 20), 1)
    yield "empty.gz", b"\x1f\x8b"
    yield "cut-off.zst", b"\x28\xb5\x2f\xfd\x04"
    yield "cut-off.xz", b"\xfd7zXZ\0\0\4"
    yield "checksum-of-nothing", raw()[:148] + b" " * 8 + raw()[156:] + END
    yield "size-of-nines", raw(size=b"00000000009\0") + END
    yield "zeros-in-front", b"\0" * 512 + tar(member("a"))
    yield "mode-no-number", summed(raw()[:100] + b"zzzzzzz\0" + raw()[108:]) + END
    yield from twice_said_tars()
    for name, data in sparse_tars():
        yield "sparse-" + name, data
    for name, data in wrapped_tars():
        yield "wrapping-" + name, data


def twice_said_tars():
    """What one reader takes from the first place and another from the last."""
    one, two = record(b"path", b"one"), record(b"path", b"two")
    yield "pax-path-twice", pax(one + two) + raw() + END
    yield "pax-path-twice-the-same", pax(one * 2) + raw() + END
    yield "pax-link-twice", pax(record(b"linkpath", b"a") + record(b"linkpath", b"/etc")) + raw(kind=b"2") + END
    yield "pax-size-twice", pax(record(b"size", b"0") + record(b"size", b"512")) + raw(data=raw(b"hidden")) + END
    yield "pax-uid-twice", pax(record(b"uid", b"5") + record(b"uid", b"0")) + raw() + END
    yield "pax-time-twice", pax(record(b"mtime", b"5") + record(b"mtime", b"6")) + raw() + END
    yield "pax-behind-pax", pax(one) + pax(record(b"comment", b"x")) + raw() + END
    yield "pax-behind-solaris", raw(b"p", b"%011o\0" % len(one), b"X", one) + pax(two) + raw() + END


def sparse_tars():
    """Maps and sizes of sparse files that do not fit one another."""
    def told(*pairs, stored=b"", header=raw, **more):
        text = b"".join(record(b"GNU.sparse." + k, v) for k, v in pairs)
        return pax(text) + header(size=b"%011o\0" % len(stored), data=stored, **more) + END

    def inner(text, stored=0, real=b"1000"):
        return told((b"major", b"1"), (b"minor", b"0"), (b"realsize", real), stored=text.ljust(512, b"\0") + b"x" * stored)
    size = (b"size", b"1000")
    pair = (b"offset", b"0"), (b"numbytes", b"0")
    names = record(b"GNU.sparse.name", b"one") + record(b"GNU.sparse.name", b"two")
    yield "name-twice", pax(names + record(b"GNU.sparse.size", b"0") + record(b"GNU.sparse.map", b"0,0")) + raw() + END
    yield "map-twice", told(size, (b"map", b"0,5"), (b"map", b"0,5"), stored=b"x" * 5)
    yield "version-twice", told((b"major", b"1"), (b"minor", b"0"), (b"major", b"0"), (b"realsize", b"5"), stored=b"1\n0\n0\n".ljust(512, b"\0"))
    yield "blocks-fewer", told(size, (b"numblocks", b"5"), *pair)
    yield "blocks-more", told(size, (b"numblocks", b"1"), (b"offset", b"0"), (b"numbytes", b"5"), (b"offset", b"9"), (b"numbytes", b"5"), stored=b"x" * 10)
    yield "blocks-vast", told(size, (b"numblocks", b"18446744073709551615"), *pair)
    yield "half-a-pair", told(size, (b"offset", b"0"))
    yield "half-a-pair-twice", told(size, (b"offset", b"0"), *pair)
    yield "pair-backwards", told(size, *reversed(pair))
    yield "size-twice", told(size, (b"size", b"2000"), *pair)
    yield "sizes-of-two-kinds", told(size, (b"realsize", b"2000"), *pair)
    yield "size-missing", told((b"map", b"0,5"), stored=b"x" * 5)
    yield "size-missing-inside", told((b"major", b"1"), (b"minor", b"0"), stored=b"1\n0\n10\n".ljust(512, b"\0") + b"x" * 10)
    yield "version-2", told((b"major", b"2"), (b"minor", b"0"), (b"realsize", b"0"))
    yield "folder", told(size, *pair, name=b"d/", kind=b"5")
    yield "link", pax(record(b"linkpath", b"x") + record(b"GNU.sparse.size", b"5") + record(b"GNU.sparse.map", b"0,0")) + raw(b"l", kind=b"2") + END
    yield "hard-link", raw(b"a") + pax(record(b"linkpath", b"a") + record(b"GNU.sparse.size", b"5") + record(b"GNU.sparse.map", b"0,0")) + raw(b"l", kind=b"1") + END
    yield "of-two-kinds", pax(record(b"GNU.sparse.size", b"1000") + record(b"GNU.sparse.map", b"0,100")) + sparse([(0, 100)], 1000) + END
    yield "map-of-three", told(size, (b"map", b"0,5,7"), stored=b"x" * 5)
    yield "map-negative", told(size, (b"map", b"-1,5"), stored=b"x" * 5)
    yield "map-of-less", told(size, (b"map", b"0,5"), stored=b"x" * 600)
    yield "map-of-more", told(size, (b"map", b"0,50"), stored=b"x" * 5)
    yield "inside-cut-off", inner(b"2\n0\n5\n")
    yield "inside-negative", inner(b"1\n-5\n10\n", 10)
    yield "inside-one-line", inner(b"1" * 512)
    yield "inside-overlapping", inner(b"2\n0\n10\n5\n10\n", 20)
    yield "inside-beyond", inner(b"1\n0\n10\n", 10, b"5")
    yield "inside-backwards", inner(b"2\n100\n10\n0\n10\n", 20)
    yield "extension-missing", summed(sparse([(0, 100)], 1000)[:482] + b"\1" + sparse([(0, 100)], 1000)[483:])


def wrapped_tars():
    """What is wrong with the wrapping alone."""
    plain = tar(member("a", data=b"x" * 3000))
    g, z = gzip.compress(plain, 9, mtime=0), stored_zstd(plain)
    yield "size-wrong.gz", g[:-4] + b"\1\0\0\0"
    yield "header-crc-wrong.gz", g[:3] + b"\x02" + g[4:10] + b"\0\0" + g[10:]
    yield "method-unknown.gz", g[:2] + b"\x07" + g[3:]
    yield "members-with-a-gap.gz", g + b"\0" * 20 + g
    yield "zstd-behind-it.gz", g + z
    yield "gzip-behind-it.zst", z + g
    yield "checksum-wrong.zst", b"\x28\xb5\x2f\xfd\xa4" + z[5:] + b"\1\2\3\4"
    yield "size-less.zst", z[:5] + struct.pack("<I", 100) + z[9:]
    yield "size-more.zst", z[:5] + struct.pack("<I", 2 * len(plain)) + z[9:]
    yield "block-reserved.zst", z[:9] + struct.pack("<I", 100 << 3 | 6)[:3] + b"x" * 100
    yield "bit-reserved.zst", z[:4] + b"\xa8" + z[5:]
    yield "skip-cut-off.zst", z + b"\x50\x2a\x4d\x18\x10\0\0\0abc"
    yield "version-old.zst", b"\x27\xb5\x2f\xfd" + z[4:]
    yield "check-wrong.xz", (lambda x: x[:-30] + bytes([x[-30] ^ 1]) + x[-29:])(lzma.compress(plain))
    yield "checksum-wrong.bz2", (lambda x: x[:10] + bytes([x[10] ^ 1]) + x[11:])(bz2.compress(plain))
    yield "cut-off.bz2", bz2.compress(plain)[:-4]


def stored_zstd(data):
    """One frame of blocks that are not compressed (RFC 8878)."""
    out = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data))
    for at in range(0, len(data), 1 << 16):
        piece = data[at:at + (1 << 16)]
        out += struct.pack("<I", len(piece) << 3 | (at + len(piece) == len(data)))[:3] + piece
    return out


def runs_of_zstd(size):
    """One frame of zeros, four bytes for each 128 KiB of them."""
    blocks = size >> 17
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", size) + b"".join(
        struct.pack("<I", (1 << 17) << 3 | 2 | (i == blocks - 1))[:3] + b"\0" for i in range(blocks))


def huge_dictionary():
    """An xz stream whose header asks for 4 GiB of memory, its check sum mended."""
    x = bytearray(lzma.compress(tar(member("a")), preset=0))
    size = (x[12] + 1) * 4
    at = bytes(x[12:12 + size]).index(b"\x21\x01") + 2
    x[12 + at] = 40
    x[12 + size - 4:12 + size] = struct.pack("<I", zlib.crc32(bytes(x[12:12 + size - 4])))
    return bytes(x)


def safe_tars():
    yield "absolute", tar(member("/tmp/absolute-member", data=b"x"))
    yield "devices", tar(member("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
                         member("sda", tarfile.BLKTYPE, devmajor=8, devminor=0))
    yield "forged-whiteout", tar(member("etc", tarfile.CHRTYPE, devmajor=0, devminor=0))
    yield "overlay-xattrs", tar(d("a/", pax={"SCHILY.xattr.user.overlay.opaque": "y",
                                             "SCHILY.xattr.user.overlay.redirect": "/etc",
                                             "SCHILY.xattr.trusted.overlay.opaque": "y",
                                             "SCHILY.xattr.security.selinux": "x",
                                             "SCHILY.xattr.user.kept": "yes"}))
    yield "set-id", tar(member("su", mode=0o6755, data=b"x"))
    yield "fifo", tar(member("fifo", tarfile.FIFOTYPE))
    yield "links-that-lead-out", tar(sym("a", "/etc/passwd"), sym("b", "../../../../etc"))
    yield "twice", tar(member("a", data=b"one"), member("a", data=b"two"), d("a/"), member("a/b"), member("a", data=b"three"))
    yield "hard-link-to-a-symlink", tar(sym("a", "/etc/passwd"), hard("b", "a"))
    yield "file-over-a-link", tar(sym("a", "/tmp/over-a-link"), member("a", data=b"x"))
    yield "two-unicodes", tar(member("e\u0301"), member("\u00e9"))
    yield "no-unicode", tar(member("\udcff\udcfe"), form=tarfile.GNU_FORMAT)
    yield "unicode-tricks", tar(member("a\u202egpj.exe"), member("\u2024\u2024/x"), member("\uff0e\uff0e\uff0fy"), member("\u200b"))
    yield "case", tar(member("A"), member("a"))
    yield "aufs", tar(member(".wh..wh.plnk/1.2"), member(".wh..wh.aufs"), d("a/"), member("a/.wh..wh..opq"))
    yield "two-members.gz", gzip.compress(tar(member("a"))[:512], 9, mtime=0) + gzip.compress(tar(member("a"))[512:], 9, mtime=0)
    yield "empty", b""
    yield "nothing-but-an-end", END
    yield "global-comment", raw(b"g", b"%011o\0" % len(record(b"comment", b"x")), b"g", record(b"comment", b"x")) + raw() + END
    yield "named-like-whiteouts", tar(member("a.wh.b"), member("wh.c"), member(".whx"), member("x/.wh"))
    yield "whiteout-and-member", tar(member(".wh.a"), member("a", data=b"x"), member("b"), member(".wh.b"))
    yield "opaque-twice", tar(d("a/"), member("a/.wh..wh..opq"), member("a/.wh..wh..opq"), member("a/b"))
    yield "opaque-root", tar(member(".wh..wh..opq"), member("a"))
    yield "whiteouts-of-what-is-needed", tar(member(".wh.proc"), member(".wh.dev"), member(".wh.etc"), member(".wh.sys"))
    yield "links-where-mounts-go", tar(sym("proc", "/tmp"), sym("dev", "/tmp"), sym("sys", "../.."), sym("run", "/tmp"), sym("tmp", "/etc"))
    yield "no-rights", tar(d("./", mode=0), d("a/", mode=0), d("a/b/", mode=0), member("a/b/c", mode=0), form=tarfile.GNU_FORMAT)
    yield "times-beyond-reason", pax(record(b"mtime", b"9999999999999999")) + raw() + pax(record(b"mtime", b"-5.5")) + raw(b"b") + END
    yield "capability-of-nonsense", tar(member("c", pax={"SCHILY.xattr.security.capability": "nonsense"}))
    yield "acl", tar(member("acl", pax={"SCHILY.acl.access": "user::rwx", "SCHILY.xattr.system.posix_acl_access": "x"}))
    yield "bit-for-everybody", tar(d("t/", mode=0o7777), member("t/f", mode=0o7777))
    yield "dots-and-slashes", tar(member(".//a///b/./c"), member("...", data=b"x"), member("a/.../d"))
    yield "hard-links-many", tar(member("a"), *[hard(f"h{i}", "a") for i in range(2000)])
    yield "sparse-of-nothing-but-holes", pax(record(b"GNU.sparse.size", b"1000000000") + record(b"GNU.sparse.map", b"0,0")) + raw() + END
    yield "link-of-4000", tar(sym("l", "x" * 4000))
    yield "no-end", raw(b"file", b"00000000003\0", data=b"abc")
    yield "behind-the-end", tar(member("a")) + tar(member("../escape"))
    yield "backslashes", tar(member("..\\..\\escape"), member("C:\\x"), member("a:b"))
    yield "overlong-dots", raw(b"\xc0\xae\xc0\xae/escape") + END
    yield "name-behind-a-nul", raw(b"a\0/../../escape") + END
    yield "whiteouts-odd", tar(d("w/"), member("w/.wh.gone1", data=b"content"), member("f"), hard("w/.wh.gone2", "f"), member(".WH.f"), member("w/.wh.gone" + "n" * 247))
    yield "opaque-odd", tar(member("o/p/.wh..wh..opq", data=b"x" * 600), member(".wh..wh..wh..opq"))
    yield "attributes-of-the-system", tar(member("c", pax={"SCHILY.xattr.security.ima": "x", "SCHILY.xattr.security.evm": "x", "SCHILY.xattr.trusted.x": "y",
                                                           "SCHILY.xattr.system.x": "z", "LIBARCHIVE.xattr.user.overlay.opaque": "eQ=="}))
    yield "attributes-of-overlays", tar(member("c", pax={"SCHILY.xattr.user.overlay." + n: "y" for n in ("metacopy", "origin", "whiteout", "overlay.opaque", "impure")}))
    yield "contiguous", raw(b"f", kind=b"7") + END
    yield "owners-of-escapes", pax(record(b"gname", b"a\nb") + record(b"uname", b"\x1b[2J")) + raw() + END
    yield "names-in-no-charset", pax(record(b"hdrcharset", b"BINARY") + record(b"path", b"\xff\xfe")) + raw() + END
    yield "name-in-the-wrapping.gz", b"\x1f\x8b\x08\x08" + b"\0" * 5 + b"\x03../../escape\0" + gzip.compress(tar(member("a")), 9, mtime=0)[10:]
    yield "frames-two.zst", stored_zstd(tar(member("a"))[:512]) + stored_zstd(tar(member("a"))[512:]) + b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    yield "frames-empty.zst", b"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00" * 200000 + stored_zstd(tar(member("a")))
    yield "members-empty.gz", gzip.compress(b"", 9, mtime=0) * 100000 + gzip.compress(tar(member("a")), 9, mtime=0)
    yield "gnu-names-many", raw(b"././@LongLink", b"%011o\0" % 5, b"L", b"good\0") * 5000 + raw() + END
    yield "hard-link-then-over-it", tar(sym("a", "/tmp/over-a-link"), hard("b", "a"), member("b", data=b"x"))
    yield "aufs-links-out", tar(d(".wh..wh.plnk/"), hard(".wh..wh.plnk/1.1", "../../etc/passwd"), sym(".wh..wh.aufs", "/tmp"), member(".wh..wh.aufs/escape"))
    yield "control-characters", tar(member("\x1b[31mred\x07\n"))
    yield "hard-link-to-a-fifo", tar(member("p", tarfile.FIFOTYPE), hard("h", "p"))
    yield "folder-over-a-hard-link", tar(member("a"), hard("b", "a"), d("b/"), member("b/x"))
    yield "link-of-a-file", pax(record(b"linkpath", b"/etc/passwd")) + raw() + END
    yield "opaque-behind-what-it-does-not-hide", tar(d("a/"), member("a/kept-by-opaque", data=b"x"), member("a/.wh..wh..opq"))
    yield "time-before-1970-in-binary", summed(raw()[:136] + b"\xff" * 11 + b"\xfb" + raw()[148:]) + END
    yield "numbers-in-binary", summed(raw(data=b"abc")[:108] + (b"\x80" + b"\0" * 7) * 2 + b"\x80" + b"\0" * 10 + b"\3" + raw()[136:512]) + b"abc".ljust(512, b"\0") + END
    yield "of-version-7", summed(raw(b"dir/", kind=b"\0", magic=b"\0" * 8).replace(b"0000644", b"0000755")) + summed(raw(b"dir/file", kind=b"\0", magic=b"\0" * 8)) + END
    yield "sizes-of-blanks", raw(size=b" " * 12) + raw(b"g", size=b"\0" * 12) + END
