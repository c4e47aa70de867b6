#!/bin/bash
# SIGKILL, failing system calls, a full disk and many at once, whatever is done to the image store:
# an image is there and verifies, or it is not there; the next one succeeds; prune leaves nothing.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/system/strikes.sh
. "$(dirname "$0")/strikes.sh"

# What is in a store, down to the layers' names; or in the unpacked layers, with their content's sizes.
list_store() { (cd "$1" && find . -mindepth 1 -maxdepth 4 ! -path './layers/*/*/fs/*' | sort); }
list_trees() { (cd "$1/layers" && find . ! -path './*/*/fs' -path './*/*/fs/*' -printf '%P %y %m %s %T@ %l\n' | sed -E 's/^(\S+ c .*) [0-9.]+ $/\1/' | sort); }

# Two layouts: base:1 of one layer, victim:1 of the same and another; stores with the one and with both.
begin() {
    need userns python3
    strikes_begin
    python3 - <<'PYTHON'
import gzip, hashlib, io, json, os, tarfile

def layer(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, data in files:
            m = tarfile.TarInfo(name)
            m.mtime, m.size = 1234567890, len(data)
            if name.endswith("/"):
                m.type, m.mode = tarfile.DIRTYPE, 0o755
            t.addfile(m, io.BytesIO(data))
    return out.getvalue()

lower = layer([("etc/", b""), ("etc/one", b"1" * 9000), ("etc/two", b"2"), ("usr/", b"")])
upper = layer([("etc/", b""), ("etc/.wh.one", b"")] + [(f"etc/new{i}", b"n" * 700) for i in range(8)])
for name, layers in (("base", [lower]), ("victim", [lower, upper])):
    os.makedirs(name + "/blobs/sha256")

    def put(data, media):
        h = hashlib.sha256(data).hexdigest()
        with open(f"{name}/blobs/sha256/{h}", "wb") as f:
            f.write(data)
        return {"mediaType": "application/vnd.oci.image." + media, "digest": "sha256:" + h, "size": len(data)}

    config = put(json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"for": name}}, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(l).hexdigest() for l in layers]}}).encode(), "config.v1+json")
    manifest = put(json.dumps({"schemaVersion": 2, "config": config, "layers": [
        put(gzip.compress(l, 9, mtime=0), "layer.v1.tar+gzip") for l in layers]}).encode(), "manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": name + ":1"}
    for file, text in (("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]})),
                       ("oci-layout", '{"imageLayoutVersion":"1.0.0"}')):
        with open(f"{name}/{file}", "w") as f:
            f.write(text)
PYTHON
    tar -C victim -cf victim.tar .
    export XDG_DATA_HOME=$T/data
    STORE=$XDG_DATA_HOME/cofferdam/images
    cofferdam image import base >said
    cp -a data one-store
    list_store "$STORE" >one
    cofferdam image import victim >said
    cp -a data two-store
    list_store "$STORE" >two
    list_trees "$STORE" >trees
}

# use STORE: what each strike begins with.
use() { START=$1; }
before_strike() {
    rm -rf data out out.tar
    cp -a "$START" data
}

# A layer that is there is there as a whole.
trees_are_whole() {
    local left layer
    left=$(list_trees "$STORE" | comm -23 - trees)
    [ -z "$left" ] || complain "$1" "layers hold something else: $left"
    for layer in "$STORE"/layers/*/*/; do
        [ -d "$layer" ] || continue
        [ -e "$layer/layer.json" ] || complain "$1" "a layer without numbers"
        layer=$(basename "$layer")
        [ "$(grep -c "/$layer/" trees)" = "$(list_trees "$STORE" | grep -c "/$layer/")" ] || complain "$1" "half a layer"
    done
}

after_strike() {
    local what=$1 left
    cofferdam image list --quiet >listed 2>errors || complain "$what" "list: $(cat errors)"
    cofferdam image verify >verified 2>errors || complain "$what" "verify: $(cat verified errors)"
    left=$(sort listed | grep -vxE '(base:1|victim:1|other:[0-9])' || :)
    [ -z "$left" ] || complain "$what" "a name from nowhere: $left"
    left=$(sort listed | uniq -d)
    [ -z "$left" ] || complain "$what" "a name twice: $left"
    trees_are_whole "$what"
    [ ! -e out.tar ] || tar -tf out.tar >listed 2>errors || complain "$what" "half an archive: $(cat errors)"
    cofferdam image import victim >listed 2>errors || complain "$what" "the next import: $(cat errors)"
    cofferdam image import base >listed 2>errors || complain "$what" "the next import: $(cat errors)"
    cofferdam image verify >verified 2>errors || complain "$what" "verify then: $(cat verified errors)"
    cofferdam image rm other:1 other:2 other:3 >listed 2>&1 || :
    cofferdam image prune >listed 2>errors || complain "$what" "prune: $(cat errors)"
    left=$(list_trees "$STORE" | comm -3 - trees)
    [ -z "$left" ] || complain "$what" "other trees after the next import: $left"
    left=$(list_store "$STORE" | comm -3 - two)
    [ -z "$left" ] || complain "$what" "another store after prune: $left"
    # a folder cannot be without a name until it is whole; it has another one
    left=$(find . -maxdepth 1 -name '*out*' ! -name out ! -name out.tar ! -name 'out.part-*')
    [ -z "$left" ] || complain "$what" "beside the export: $left"
    find . -maxdepth 1 -name '*out*' -exec rm -rf {} +
}

test_an_import_is_killed() {
    begin
    use one-store
    sweep 29 kill cli -- image import victim
    sweep 23 kill monitor -- image import victim
    sweep 47 tree any -- image import victim
    sweep 97 tree any -- image import victim.tar
    strikes_end 40
}

test_calls_of_an_import_fail() {
    local errno
    begin
    use one-store
    for errno in ENOSPC EIO ENOMEM EMFILE; do
        sweep 83 "$errno" "cli monitor" -- image import victim.tar
    done
    strikes_end 20
}

test_a_first_import_is_killed() {
    begin
    mkdir no-store
    use no-store
    sweep 61 tree any -- image import victim
    sweep 97 ENOSPC "cli monitor" -- image import victim
    strikes_end 5
}

test_a_removal_is_killed() {
    begin
    use two-store
    sweep 11 kill "cli monitor" -- image rm victim:1
    sweep 29 ENOSPC "cli" -- image rm victim:1
    strikes_end 15
}

test_a_prune_is_killed() {
    begin
    # the names are gone, nothing else
    cp "one-store/cofferdam/images/index.json" "data/cofferdam/images/index.json"
    cp -a data loose-store
    use loose-store
    sweep 11 kill "cli monitor" -- image prune
    sweep 29 EIO "cli" -- image prune
    strikes_end 15
}

test_naming_is_killed() {
    begin
    use two-store
    sweep 7 kill cli -- image tag base:1 other:1
    sweep 23 ENOSPC cli -- image tag base:1 other:1
    sweep 23 kill cli -- image tag base:1 victim:1
    strikes_end 15
}

test_an_export_is_killed() {
    begin
    use two-store
    sweep 11 kill cli -- image export victim:1 out.tar
    sweep 23 ENOSPC cli -- image export victim:1 out.tar
    sweep 23 kill cli -- image export victim:1 out
    sweep 23 ENOSPC cli -- image export victim:1 out
    strikes_end 15
}

test_a_pull_is_killed() {
    need skopeo
    begin
    use one-store
    mkdir -p "$HOME/.config/containers"
    printf '{"default":[{"type":"insecureAcceptAnything"}]}' >"$HOME/.config/containers/policy.json"
    sweep 53 kill cli -- image pull oci:victim:victim:1 victim:1
    sweep 797 tree any -- image pull oci:victim:victim:1 victim:1
    strikes_end 5
}

# on_a_disk SIZE SCRIPT: with a file system of so many KiB on small/.
on_a_disk() {
    mkdir -p small
    if [ "$(id -u)" = 0 ]; then
        unshare --mount bash -euc "mount -t tmpfs -o size=${1}k,mode=0700 none small; $2"
    else
        # back to the own number inside, as which the store is somebody's
        unshare --user --map-root-user --mount bash -euc "mount -t tmpfs -o size=${1}k,mode=0700 none small
            exec unshare --user --map-user=$(id -u) --map-group=$(id -g) bash -euc '$2'"
    fi
}

test_a_full_disk() {
    begin
    local size what
    # shellcheck disable=SC2016 # for the shell inside
    what='
        export XDG_DATA_HOME=$PWD/small XDG_CACHE_HOME=$PWD/small
        status=0
        "$COFFERDAM" image import large.tar large:1 >said 2>&1 || status=$?
        "$COFFERDAM" image list --quiet >listed
        "$COFFERDAM" image verify
        echo "$status $(cat listed)" >>results
        case $status$(cat listed) in
        125) [ -s said ]; grep -qi "space" said || { cat said; exit 1; } ;;
        0large:1) [ "$(find small/cofferdam/images/layers -type f -name "f?" | wc -l)" = 4 ] ;;
        *) cat said listed; exit 1 ;;
        esac
        [ -z "$(ls -A small/cofferdam/images/tmp)" ]
        [ -s listed ] || [ -z "$(ls -A small/cofferdam/images/blobs/sha256)" ] || "$COFFERDAM" image prune >said
        [ -s listed ] || [ -z "$(ls -A small/cofferdam/images/blobs/sha256)$(ls -A small/cofferdam/images/layers/self)" ]
        # room again: the next one succeeds
        [ ! -s listed ] || exit 0
        mount -o remount,size=8m small 2>said || exit 0
        "$COFFERDAM" image import large.tar large:1 >said
        "$COFFERDAM" image verify >said'
    mkdir large
    for name in f1 f2 f3 f4; do head -c 150000 /dev/urandom >large/$name; done
    tar -C large -cf large.tar .
    for size in 60 72 84 96 160 320 500 620 640 660 700 800 1000 1200 1240 1280 1320 1400 4000; do
        on_a_disk "$size" "$what" >out 2>&1 || { cat out; fail "a disk of $size KiB"; }
    done
    grep -q '^125' results || fail 'all disks were large enough'
    grep -q '^0 large:1' results || fail 'no disk was large enough'
}

# Everything that changes the store, at once, in rounds: at the end it is sound and empties.
test_many_at_once() {
    begin
    local round n pids status
    ACTION=together
    local rounds=4
    [ -z "${COFFERDAM_LONG:-}" ] || rounds=40
    for round in $(seq $rounds); do
        pids=()
        for n in 1 2 3; do
            cofferdam image import victim.tar >"said.$n" 2>&1 &
            pids+=($!)
            cofferdam image rm victim:1 >"removed.$n" 2>&1 &
            cofferdam image prune >"pruned.$n" 2>&1 &
            cofferdam image tag base:1 "other:$n" >"tagged.$n" 2>&1 &
            pids+=($!)
            cofferdam image verify >"verified.$n" 2>&1 &
            pids+=($!)
            cofferdam image import base >"again.$n" 2>&1 &
            pids+=($!)
            cofferdam image export base:1 "export.$round.$n.tar" >"exported.$n" 2>&1 &
            pids+=($!)
        done
        for n in "${pids[@]}"; do
            status=0
            wait "$n" || status=$?
            [ $status = 0 ] || { head -5 said.* tagged.* verified.* again.* exported.*; fail "round $round: status $status"; }
        done
        wait
        for n in 1 2 3; do tar -tf "export.$round.$n.tar" >listed; done
        after_strike "round $round"
    done
    cofferdam image rm base:1 victim:1 other:1 other:2 other:3 2>said || :
    cofferdam image prune >said
    expect_equal "$(find "$STORE/blobs" "$STORE/layers" "$STORE/tmp" -type f)" '' 'what is left'
    [ "$COMPLAINTS" = 0 ] || fail "$COMPLAINTS complaints"
}

run_tests "$@"
