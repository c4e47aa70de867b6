#!/bin/bash
# Disks of images: the tree that containers see, the same bytes for everybody, read by a real guest.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# Two layers with everything that is easily lost on the way, as the layout $T/layout.
make_image() {
    python3 - "$T/layout" "${1:-plain}" <<'EOF'
import gzip, hashlib, io, json, os, sys, tarfile
out, kind = sys.argv[1:]
os.makedirs(out + "/blobs/sha256")

def layer(rows):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, what, *rest in rows:
            m = tarfile.TarInfo(name)
            m.mtime = 1234567890
            options = rest[0] if rest else {}
            m.mode, m.uid, m.gid = options.get("mode", 0o644), options.get("uid", 0), options.get("gid", 0)
            m.pax_headers = options.get("pax", {})
            data = b""
            if what == "dir":
                m.type, m.mode = tarfile.DIRTYPE, options.get("mode", 0o755)
            elif what == "link":
                m.type, m.linkname = tarfile.LNKTYPE, options["to"]
            elif what == "symlink":
                m.type, m.linkname, m.mode = tarfile.SYMTYPE, options["to"], 0o777
            elif what == "fifo":
                m.type = tarfile.FIFOTYPE
            else:
                data = what.encode()
            m.size = len(data)
            t.addfile(m, io.BytesIO(data))
    return b.getvalue()

base = [
    ("./", "dir"), ("etc", "dir"), ("etc/shadow", "secret", {"mode": 0o640, "gid": 42}),
    ("etc/none", "unreadable", {"mode": 0}),
    ("bin", "dir"), ("bin/su", "su", {"mode": 0o4755}), ("bin/two", "link", {"to": "bin/su"}),
    ("home", "dir"), ("home/me", "dir", {"mode": 0o700, "uid": 1000, "gid": 1000}),
    ("home/me/note", "mine", {"uid": 1000, "gid": 1000}),
    ("old", "dir"), ("old/below", "hidden"), ("gone", "gone"), ("swap", "file"),
    ("a b\nc", "odd"), ("pipe", "fifo"), ("sl", "symlink", {"to": "../../../etc/passwd"}),
    ("first", "linked"), ("second", "link", {"to": "first"}),
    ("marked", "x", {"pax": {"SCHILY.xattr.user.note": "kept"}}),
]
top = [
    ("old", "dir", {"mode": 0o711}), ("old/.wh..wh..opq", ""), ("old/above", "seen"),
    (".wh.gone", ""), ("swap", "dir"), ("swap/in", "now a folder"), (".wh.first", ""),
    ("etc/new", "new", {"uid": 7}),
]
if kind == "large":
    base += [(f"usr/{i}", f"{i} " * 2000) for i in range(20000)]

def put(data):
    h = hashlib.sha256(data).hexdigest()
    with open(f"{out}/blobs/sha256/{h}", "wb") as f:
        f.write(data)
    return {"digest": "sha256:" + h, "size": len(data)}

layers, ids = [], []
for rows in (base, top):
    plain = layer(rows)
    ids.append("sha256:" + hashlib.sha256(plain).hexdigest())
    layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **put(gzip.compress(plain, 1, mtime=0))})
config = {"mediaType": "application/vnd.oci.image.config.v1+json", **put(json.dumps(
    {"architecture": os.environ["ARCH"], "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ids}}).encode())}
manifest = {"mediaType": "application/vnd.oci.image.manifest.v1+json", **put(json.dumps(
    {"schemaVersion": 2, "config": config, "layers": layers}).encode()),
    "annotations": {"org.opencontainers.image.ref.name": "disk"}}
with open(out + "/index.json", "w") as f:
    json.dump({"schemaVersion": 2, "manifests": [manifest]}, f)
with open(out + "/oci-layout", "w") as f:
    f.write('{"imageLayoutVersion":"1.0.0"}')
EOF
}
case $(uname -m) in x86_64) ARCH=amd64 ;; aarch64) ARCH=arm64 ;; *) ARCH=$(uname -m) ;; esac
export ARCH

# disk_here NAME: imports the layout and makes its disk in a store of this name alone; sets DISK.
disk_here() {
    XDG_DATA_HOME=$T/$1/data XDG_CACHE_HOME=$T/$1/cache cofferdam image import "$T/layout" >"$T/out"
    DISK=$(XDG_DATA_HOME=$T/$1/data XDG_CACHE_HOME=$T/$1/cache cofferdam image disk --quiet disk)
}

test_the_tree() {
    need tar2sqfs python3
    make_image
    disk_here one
    rdsquashfs -d "$DISK" | LC_ALL=C sort >list
    LC_ALL=C sort >expected <<'EOF'
dir bin 0755 0 0
file bin/su 04755 0 0
file bin/two 04755 0 0
dir etc 0755 0 0
file etc/new 0644 7 0
file etc/none 00 0 0
file etc/shadow 0640 0 42
dir home 0755 0 0
dir home/me 0700 1000 1000
file home/me/note 0644 1000 1000
file marked 0644 0 0
dir old 0711 0 0
file old/above 0644 0 0
pipe pipe 0644 0 0
file second 0644 0 0
slink sl 0777 0 0 ../../../etc/passwd
dir swap 0755 0 0
file swap/in 0644 0 0
file "a b
c" 0644 0 0
EOF
    sed -i 's/^file etc\/none 0* /file etc\/none 00 /; s/^nod pipe 0644 0 0 .*/pipe pipe 0644 0 0/; s/^pipe fifo/pipe pipe/' list
    LC_ALL=C sort -o list list
    diff -u expected list || fail "another tree"
    expect_equal "$(rdsquashfs -c second "$DISK")" linked
    expect_equal "$(rdsquashfs -c etc/none "$DISK")" unreadable
    expect_equal "$(rdsquashfs -c swap/in "$DISK")" "now a folder"
    # where the store's file system keeps attributes at all
    [ -z "$(rdsquashfs -x marked "$DISK")" ] || expect_equal "$(rdsquashfs -x marked "$DISK")" "user.note=kept"
}

test_the_same_bytes() {
    need tar2sqfs python3
    local first
    make_image
    disk_here one
    first=$DISK
    disk_here two
    [ "$first" != "$DISK" ] || fail "one store for both"
    cmp "$first" "$DISK" || fail "other bytes"
    expect_equal "$(stat -c %a "$DISK")" 400
    # found again, and found again without the layers
    expect_equal "$(XDG_DATA_HOME=$T/two/data XDG_CACHE_HOME=$T/two/cache cofferdam image disk --json disk | grep -c '"made": false')" 1
}

test_a_program_that_is_missing() {
    need python3
    make_image
    cofferdam image import "$T/layout" >out
    mkdir empty
    # beside PATH only a folder of the system's is searched
    [ ! -e /usr/sbin/tar2sqfs ] || return 0
    capture env PATH="$T/empty" "$COFFERDAM" image disk disk
    expect_status 125
    expect_err_has squashfs-tools-ng
    expect_equal "$(find "$XDG_CACHE_HOME/cofferdam/disks" -type f | wc -l)" 0
}

# However soon it is killed: nothing under the disk's name, or all of it.
test_a_killed_builder() {
    need tar2sqfs python3
    local pause
    make_image large
    export XDG_DATA_HOME=$T/data XDG_CACHE_HOME=$T/cache
    cofferdam image import "$T/layout" >out
    for pause in 0.01 0.05 0.1 0.2 0.4; do
        timeout -s KILL "$pause" "$COFFERDAM" image disk disk >out 2>&1 || :
        expect_equal "$(find "$T/cache" -type f ! -name '*.lock' ! -name '*.squashfs' | wc -l)" 0 "half a disk"
    done
    DISK=$(cofferdam image disk --quiet disk)
    expect_equal "$(rdsquashfs -l usr "$DISK" | wc -l)" 20000
    expect_equal "$(find "$T/cache" -type f | wc -l)" 1 "files in the cache"
}

# The disk of an image that is gone goes, and what a killed builder left; the others stay.
test_a_cache_is_pruned() {
    need tar2sqfs python3
    make_image
    export XDG_DATA_HOME=$T/data XDG_CACHE_HOME=$T/cache
    cofferdam image import "$T/layout" stays:1 >out
    DISK=$(cofferdam image disk --quiet stays:1)
    mkdir -p other && echo x >other/file
    cofferdam image import other goes:1 >out
    cofferdam image disk --quiet goes:1 >gone
    echo half >"$(cat gone).new"
    : >"$(cat gone).lock"
    mkdir -m 700 "$T/cache/cofferdam/initramfs"
    echo old >"$T/cache/cofferdam/initramfs/0123456789abcdef-0.cpio"
    # the list says what is in it
    capture cofferdam image list
    expect_out_has "cache: disks $(du -c --block-size=1 "$DISK" "$(cat gone)" | tail -1 | cut -f 1 | numfmt --to=iec --format=%.1f | sed 's/K$/ KiB/; s/M$/ MiB/') in 2, initramfs 4.0 KiB in 1"
    cofferdam image list --json >out
    python3 -c 'import json; print(*[(c["kind"], c["files"], c["bytes"] > 0) for c in json.load(open("out"))["cache"]])' >said
    expect_equal "$(cat said)" "('disks', 2, True) ('vmlinux', 0, False) ('initramfs', 1, True) ('filters', 0, False) ('templates', 0, False) ('blanks', 0, False)"
    expect_equal "$(cofferdam image list --quiet)" $'stays:1\ngoes:1'
    cofferdam image rm goes:1 >out 2>&1
    capture cofferdam image prune --dry-run
    expect_err_has 'would remove 1 of'
    expect_file "$(cat gone)"
    capture cofferdam image prune
    expect_status 0
    expect_err_has 'disks: removed 1 of'
    expect_err_has 'initramfs: removed 1 of'
    expect_no_file "$(cat gone)"
    expect_file "$DISK"
    expect_equal "$(find "$T/cache/cofferdam/disks" "$T/cache/cofferdam/initramfs" -type f)" "$DISK"
    # what has not been used for a month, and everything
    touch -d '40 days ago' "$DISK"
    cofferdam image prune 2>out
    expect_no_file "$DISK"
    DISK=$(cofferdam image disk --quiet stays:1)
    cofferdam image prune 2>out
    expect_file "$DISK"
    cofferdam image prune --cache 2>out
    expect_no_file "$DISK"
    # the last line is the sum of all of them
    ! grep -qx '0 B freed' out || { cat out; fail 'what the cache had is not counted'; }
    capture cofferdam image prune stays:1
    expect_status 125
}

# Above a size the one that was used longest ago goes first; what has just been used stays.
test_a_cache_has_a_bound() {
    need tar2sqfs python3
    export XDG_DATA_HOME=$T/data XDG_CACHE_HOME=$T/cache
    local name old new
    for name in old new; do
        mkdir $name
        head -c 3000000 /dev/urandom >$name/file
        cofferdam image import $name $name:1 >out
    done
    old=$(cofferdam image disk --quiet old:1)
    new=$(cofferdam image disk --quiet new:1)
    cofferdam image prune --cache-size 4M 2>out
    expect_file "$old"
    touch -d '3 hours ago' "$new"
    touch -d '2 hours ago' "$old"
    # looking it up is using it
    cofferdam image disk --quiet new:1 >out
    mkdir -p "$T/cache/cofferdam/seccomp" && chmod 700 "$T/cache/cofferdam/seccomp"
    for name in 1 2; do echo filter >"$T/cache/cofferdam/seccomp/$name.bpf"; done
    echo text >"$T/cache/cofferdam/seccomp/1.bpf.txt"
    touch -d '40 days ago' "$T/cache/cofferdam/seccomp/1.bpf"
    capture cofferdam image prune --cache-size 4M --dry-run --json
    expect_file "$old"
    capture cofferdam image prune --cache-size 4M --json
    expect_status 0
    expect_no_file "$old"
    expect_file "$new"
    expect_equal "$(ls "$T/cache/cofferdam/seccomp")" 2.bpf
    python3 - "$T/out" <<'EOF'
import json, sys
cache = {c["kind"]: c for c in json.load(open(sys.argv[1]))["cache"]}
assert cache["disks"]["removed"] == 1 and cache["disks"]["files"] == 1 and cache["disks"]["freed"] > 2900000, cache
assert cache["filters"]["removed"] == 1 and cache["filters"]["files"] == 1, cache
EOF
    capture cofferdam image prune --cache-size many
    expect_status 125
}

test_several_builders() {
    need tar2sqfs python3
    local n
    make_image
    export XDG_DATA_HOME=$T/data XDG_CACHE_HOME=$T/cache
    cofferdam image import "$T/layout" >out
    for n in 1 2 3 4; do cofferdam image disk --json disk >"out.$n" & done
    wait
    expect_equal "$(cat out.? | grep -c '"made": true')" 1
    expect_equal "$(cat out.? | grep -c '"made": false')" 3
}

test_kernels_that_are_none() {
    capture cofferdam image kernel import /etc/passwd
    expect_status 125
    expect_err_has "no kernel"
    printf '!<arch>\nnothing' >bad.deb
    capture cofferdam image kernel import bad.deb
    expect_status 125
    expect_err_has "no whole Debian package"
    capture cofferdam image kernel import /dev/zero
    expect_status 125
    capture cofferdam image kernel list --json
    expect_status 0
    expect_equal "$(find "$XDG_DATA_HOME/cofferdam/kernels" -mindepth 1 2>/dev/null | wc -l)" 0 "left behind"
}

# Everything at once: Debian's kernel from its package, taken apart, with our initramfs, sees on our
# disk what unsquashfs sees on the host.
test_a_guest() {
    need tar2sqfs python3 qemu-system-x86_64 unsquashfs apt-get
    local package
    [ -n "${COFFERDAM_LONG:-}" ] || must guest || { echo "needs --long" >"$T/skip"; exit 77; }
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: //p' | head -n 1)
    [ -n "$package" ] && apt-get download -q "$package" >apt.log 2>&1 || {
        echo "needs the package linux-image-cloud-amd64" >"$T/skip"
        exit 77
    }
    cofferdam image kernel import "$package"_*.deb
    make_image
    disk_here one
    "$BUILD_DIR/tests/tools/machine-parts" "$BUILD_DIR/tests/tools/guest-look" >parts
    timeout -s KILL 200 qemu-system-x86_64 -M microvm -accel tcg,tb-size=64 -cpu qemu64,+arat -m 256 -nodefaults \
        -no-user-config -display none -no-reboot -serial stdio -kernel "$(sed -n 's/^vmlinux=//p' parts)" \
        -initrd "$(sed -n 's/^initramfs=//p' parts)" -drive "if=none,id=d,file=$DISK,format=raw,readonly=on" \
        -device virtio-blk-device,drive=d \
        -append 'console=ttyS0 panic=-1 reboot=t quiet tsc_early_khz=2700000 tsc=reliable no_timer_check' \
        </dev/null >serial 2>&1 || { cat serial; fail "the guest"; }
    tr -d '\r' <serial | sed -n '/^look: begin/,/^look: end/p' | grep -v '^look:' >guest
    unsquashfs -q -n -d tree "$DISK" >out 2>&1 || :
    "$BUILD_DIR/tests/tools/guest-look" tree >host
    if [ "$(id -u)" != 0 ]; then # who can neither give files away nor read what nobody may
        sed -i -E 's/ [0-9]+:[0-9]+ / /; s/^104755/100755/; /etc\/none$/d' guest host
        chmod -R u+rwX tree
    fi
    diff -u host guest || fail "the guest sees something else"
    grep -q ' ./swap/in$' guest || fail "the guest saw nothing"
}

run_tests "$@"
