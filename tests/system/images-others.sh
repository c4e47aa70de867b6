#!/bin/bash
# Images that other programs have made come in and run; other programs read what goes out.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# A store for each test alone, one static program, and other programs' stores beside it.
begin() {
    need userns busybox "$@"
    export XDG_DATA_HOME=$T/data
    STORE=$XDG_DATA_HOME/cofferdam/images
    local busybox
    busybox=$(type -P busybox)
    if ldd "$busybox" >"$T/ldd" 2>&1; then
        echo 'needs a busybox that is static' >"$T/skip"
        exit 77
    fi
    mkdir -p rootfs/bin rootfs/etc "$HOME/.config/containers"
    cp "$busybox" rootfs/bin/busybox
    for name in sh cat echo ls; do ln -s busybox rootfs/bin/$name; done
    echo old >rootfs/etc/old
    echo gone >rootfs/etc/gone
    tar -C rootfs --owner=0 --group=0 --numeric-owner -cf rootfs.tar .
    printf '{"default":[{"type":"insecureAcceptAnything"}]}' >"$HOME/.config/containers/policy.json"
    export CONTAINERS_STORAGE_CONF=$T/storage.conf BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
    printf '[storage]\ndriver = "vfs"\nrunroot = "%s/run"\ngraphroot = "%s/graph"\n' "$T" "$T" >storage.conf
}

# Its process that holds a user namespace open, and its folders.
forget_podman() {
    local pid
    pid=$(cat "$XDG_RUNTIME_DIR/libpod/tmp/pause.pid" 2>/dev/null) && kill "$pid" || :
    rm -rf "$XDG_RUNTIME_DIR/containers" "$XDG_RUNTIME_DIR/libpod"
}

# runs NAME: what all those images are made to say.
runs() {
    # shellcheck disable=SC2016 # for the shell inside
    capture cofferdam run --image "$1" -- sh -c 'cat /etc/old /etc/new; cat /etc/gone; echo $SAID'
    expect_out $'old\nnew\nso'
    expect_err_has "can't open '/etc/gone'"
}

# Two layers by buildah, in its own store as localhost/made:1.
make_by_buildah() {
    local container
    container=$(buildah from scratch 2>buildah.log) || {
        must buildah && fail "buildah: $(cat buildah.log)"
        echo "needs a buildah that works here: $(tail -1 buildah.log | tr -d '\n')" >"$T/skip"
        exit 77
    }
    buildah add -q "$container" rootfs.tar / >buildah.log
    buildah config --env SAID=so --cmd /bin/sh "$container"
    buildah commit -q "$container" base:1 >buildah.log 2>&1
    buildah rm "$container" >buildah.log
    container=$(buildah from --pull-never localhost/base:1)
    echo new >new
    buildah copy -q "$container" new /etc/new >buildah.log
    buildah run "$container" -- /bin/busybox rm /etc/gone 2>buildah.log ||
        rm "$(buildah mount "$container")/etc/gone" # where it may not start programs
    buildah commit -q "$container" made:1 >buildah.log 2>&1
    buildah rm "$container" >buildah.log
}

test_buildah_and_podman() {
    begin buildah
    [ "$(id -u)" = 0 ] || need subids # buildah does
    trap forget_podman EXIT
    make_by_buildah
    buildah push -q localhost/made:1 oci:layout:made:1
    buildah push -q localhost/made:1 oci-archive:oci.tar:made:2
    buildah push -q localhost/made:1 docker-archive:docker.tar:localhost/made:3
    buildah push -q --format v2s2 localhost/made:1 dir:plain
    expect_equal "$(cofferdam image import layout)" made:1
    expect_equal "$(cofferdam image import oci.tar)" made:2
    cofferdam image import docker.tar >said
    grep -qx made:3 said || fail "its names: $(cat said)"
    cofferdam image import - <docker.tar >said
    cofferdam image import oci.tar --name piped:1 >said
    # shellcheck disable=SC2002 # a pipe is what it is about
    cat oci.tar | cofferdam image import - piped:2 >said
    for name in made:1 made:2 made:3 piped:1 piped:2; do runs $name; done
    if type -P podman >"$T/null"; then
        podman save -q -o saved.tar localhost/made:1
        podman save -q --format oci-archive -o saved-oci.tar localhost/made:1
        podman save -q --format oci-dir -o saved-dir localhost/made:1
        podman save -q --format docker-dir -o saved-docker localhost/made:1
        podman save -q -m -o several.tar localhost/made:1 localhost/base:1
        podman save -q localhost/made:1 | cofferdam image import - --name stream:1 >said
        cofferdam image import saved.tar saved:1 >said
        cofferdam image import saved-oci.tar saved:2 >said
        cofferdam image import saved-dir saved:3 >said
        cofferdam image pull dir:saved-docker saved:4 >said 2>&1
        for name in stream:1 saved:1 saved:2 saved:3 saved:4; do runs $name; done
        cofferdam image rm made:1 >said 2>&1
        cofferdam image import several.tar >said
        expect_equal "$(sort said)" $'base:1\nmade:1'
        cofferdam image import several.tar --ref localhost/base:1 only:1 >said
        expect_equal "$(cofferdam run --image only:1 -- cat /etc/gone)" gone
        capture cofferdam image import several.tar --ref nobody:1
        expect_status 125
        expect_err_has 'made:1'
        # and back
        cofferdam image tag saved:2 back:1
        cofferdam image export back:1 back.tar
        cofferdam image export back:1 back
        cofferdam image export back:1 - >back-piped.tar
        podman load -q -i back.tar >loaded
        grep -q back:1 loaded || fail "podman calls it $(cat loaded)"
        podman load -q -i back >loaded
        podman load -q <back-piped.tar >loaded
        podman image inspect localhost/back:1 >inspected || podman image inspect back:1 >inspected
        grep -q SAID=so inspected || fail 'podman lacks the environment'
    fi
    cofferdam image verify
}

test_skopeo_and_umoci() {
    begin skopeo umoci
    local rootless=
    [ "$(id -u)" = 0 ] || rootless=--rootless
    umoci init --layout layout
    umoci new --image layout:1
    # shellcheck disable=SC2086 # an option or none
    {
        umoci unpack $rootless --image layout:1 bundle >umoci.log 2>&1
        tar -C bundle/rootfs -xf rootfs.tar
        umoci repack --image layout:1 bundle >umoci.log 2>&1
        echo new >bundle/rootfs/etc/new && rm bundle/rootfs/etc/gone
        umoci repack --refresh-bundle --image layout:1 bundle >umoci.log 2>&1 || {
            rm -rf bundle && umoci unpack $rootless --image layout:1 bundle >umoci.log 2>&1
            echo new >bundle/rootfs/etc/new && rm -f bundle/rootfs/etc/gone
            umoci repack --image layout:1 bundle >umoci.log 2>&1
        }
    }
    umoci config --image layout:1 --config.env SAID=so --config.cmd sh
    # a tag alone is one of the layout
    expect_equal "$(cofferdam image import layout)" layout:1
    runs layout:1
    skopeo copy -q oci:layout:1 oci-archive:a.tar:copied:1
    skopeo copy -q oci:layout:1 docker-archive:b.tar:copied:2
    skopeo copy -q --dest-compress-format zstd oci:layout:1 oci:zstd:copied:3
    expect_equal "$(cofferdam image import a.tar)" copied:1
    expect_equal "$(cofferdam image import b.tar)" copied:2
    expect_equal "$(cofferdam image import zstd)" copied:3
    cofferdam image pull oci:layout:1 copied:4 >said 2>&1
    cofferdam image pull docker-archive:b.tar copied:5 >said 2>&1
    for name in copied:1 copied:2 copied:3 copied:4 copied:5; do runs $name; done
    cofferdam image export copied:3 back
    cofferdam image export copied:3 back.tar
    skopeo inspect --config oci:back:copied:3 >inspected
    grep -q SAID=so inspected || fail 'skopeo lacks the environment'
    skopeo inspect oci-archive:back.tar:copied:3 >inspected
    cofferdam image export copied:1 again
    # shellcheck disable=SC2086
    umoci unpack $rootless --image again:copied:1 unpacked >umoci.log 2>&1
    expect_file unpacked/rootfs/etc/new
    expect_no_file unpacked/rootfs/etc/gone
    [ "$(id -u)" = 0 ] || chmod -R u+rwX bundle unpacked
}

# What docker, buildx, containerd and others write, by hand; and what is no image, in clear words.
test_forms_of_many_programs() {
    begin zstd
    python3 "$SOURCE_DIR/tests/images/make-forms" forms rootfs.tar
    local path name want count=0
    for path in forms/take/*; do
        name=${path##*/}
        case $name in *.name) continue ;; esac
        want=form-$name:1
        [ ! -e "$path.name" ] || want=$(cat "$path.name")
        case $name in
        no-name) cofferdam image import "$path" "$want" >said ;;
        *) cofferdam image import "$path" >said ;;
        esac
        expect_equal "$(cat said)" "$want" "names of $name"
        capture cofferdam run --image "$want" -- sh -c 'cat /etc/old /etc/new; cat /etc/gone'
        expect_out $'old\nnew'
        expect_err_has "can't open '/etc/gone'"
        cofferdam image import "$path" "again-$name:1" >said
        count=$((count + 1))
    done
    [ $count -ge 24 ] || fail "only $count forms"
    for path in forms/refuse/*; do
        case $path in *.words) continue ;; esac
        capture cofferdam image import "$path" bad:1
        expect_status 125
        expect_err_has "$(cat "$path.words")"
    done
    cofferdam image verify >said
    expect_equal "$(ls "$STORE/tmp")" '' 'what is left in tmp'
}

# Lists of machines: this one's, another by name, and what there is where it is not there.
test_other_machines() {
    begin skopeo
    cofferdam image import rootfs.tar one:1 >said
    cofferdam image export one:1 layout
    python3 - <<'PYTHON'
import hashlib, json
top = json.load(open("layout/index.json"))
m = top["manifests"][0]
m.pop("annotations")

def put(j):
    data = json.dumps(j).encode()
    h = hashlib.sha256(data).hexdigest()
    open("layout/blobs/sha256/" + h, "wb").write(data)
    return {"digest": "sha256:" + h, "size": len(data)}

manifest = json.load(open("layout/blobs/sha256/" + m["digest"][7:]))
config = json.load(open("layout/blobs/sha256/" + manifest["config"]["digest"][7:]))
other = {**m, **put({**manifest, "config": {**manifest["config"], **put({**config, "architecture": "arm", "variant": "v7"})}})}
inner = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
    {**other, "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
    {**m, "platform": {"os": "linux", "architecture": config["architecture"]}}]}
top["manifests"] = [{"mediaType": inner["mediaType"], **put(inner), "annotations": {"io.containerd.image.name": "docker.io/library/many:1", "org.opencontainers.image.ref.name": "1"}}]
json.dump(top, open("layout/index.json", "w"))
PYTHON
    expect_equal "$(cofferdam image import layout)" many:1
    expect_equal "$(cofferdam run --image many:1 -- cat /etc/old)" old
    cofferdam image import layout other:1 --platform linux/arm/v7 >said
    cofferdam image inspect --json other:1 | grep -q '"architecture": "arm"' || fail 'another machine'
    capture cofferdam image import layout third:1 --platform linux/arm/v6
    expect_status 125
    case $(uname -m) in
    x86_64) cofferdam image import layout usual:1 --platform linux/amd64/v1 >said ;;
    aarch64) cofferdam image import layout usual:1 --platform linux/arm64/v8 >said ;;
    esac
    capture cofferdam image import layout third:1 --platform linux/vax
    expect_status 125
    expect_err_has 'arm, '
    capture cofferdam image import layout third:1 --platform windows/amd64
    expect_status 125
}

# What a pipe brings, and what it does not.
# shellcheck disable=SC2016 # for the shell
test_standard_input() {
    begin
    cofferdam image import - piped:1 <rootfs.tar >said
    gzip -c rootfs.tar | cofferdam image import - --name piped:2 >said
    expect_equal "$(cofferdam run --image piped:2 -- cat /etc/old)" old
    capture sh -c '"$1" image import - <"$2"' sh "$COFFERDAM" rootfs.tar
    expect_status 125
    expect_err_has 'name'
    capture cofferdam image import - nothing:1
    expect_status 125
    capture sh -c 'head -c 3000 "$2" | "$1" image import - cut:1' sh "$COFFERDAM" rootfs.tar
    expect_status 125
    capture sh -c '"$1" image import - large:1 --limit-size 100K <"$2"' sh "$COFFERDAM" rootfs.tar
    expect_status 125
    expect_err_has limit
    expect_equal "$(ls "$STORE/tmp")" '' 'what is left in tmp'
}

# Folders that only a name speaks of are counted like those that are members; who is wrong is named.
test_members_are_counted_and_named() {
    begin
    python3 - <<'EOF'
import io, tarfile
def make(to, *names):
    with tarfile.open(to, "w") as t:
        for name in names:
            t.addfile(tarfile.TarInfo(name), io.BytesIO())
make("way.tar", "d/" * 99 + "file")
make("two.tar", "d/" * 40 + "one", "d/" * 30 + "e/" * 20 + "two")
make("cut.tar", "first", "second")
with open("cut.tar", "r+b") as f:
    f.seek(1024 + 148)
    f.write(b"broken")
EOF
    cofferdam image import way.tar way:1 --limit-entries 100 >said
    capture cofferdam image import way.tar less:1 --limit-entries 99
    expect_status 125
    expect_err_has 'member d/d/d/'
    expect_err_has 'more than 99 files and folders'
    cofferdam image import two.tar two:1 --limit-entries 62 >said
    capture cofferdam image import two.tar less:1 --limit-entries 61
    expect_status 125
    capture cofferdam image import cut.tar cut:1
    expect_status 125
    expect_err_has 'behind member second: the tar stream is broken near byte 1536'
    expect_equal "$(ls "$STORE/tmp")" '' 'what is left in tmp'
}

# An interrupt: nothing is left, and whoever waits sees the signal.
test_an_interrupt_clears_up() {
    begin
    local signal status pid
    mkfifo pipe
    for signal in INT TERM HUP; do
        "$COFFERDAM" image import - victim:1 <pipe >said 2>errors &
        pid=$!
        exec {writer}>pipe
        head -c 100000 rootfs.tar >&"$writer"
        # shellcheck disable=SC2317 # await calls it
        begun() { [ -n "$(find "$STORE/tmp" -name stdin -size +0 2>"$T/null")" ]; }
        await 10 begun
        # a shell's background child ignores interrupts
        [ $signal != INT ] || signal=TERM
        kill -$signal $pid
        status=0
        wait $pid || status=$?
        exec {writer}>&-
        [ $status -gt 128 ] || fail "$signal: status $status"
        expect_equal "$(ls "$STORE/tmp")" '' "what is left after $signal"
    done
    capture cofferdam image list --quiet
    expect_out ''
}

# What a person sees of a pull: a bar for each layer, nobody's control sequences, and an end by ctrl-C.
test_a_pull_on_a_terminal() {
    begin skopeo python3
    local layer columns images=$SOURCE_DIR/tests/images
    for layer in 1 2 3; do
        mkdir -p "more$layer/srv" && head -c 300000 /dev/urandom >"more$layer/srv/$layer"
        tar -C "more$layer" -cf "more$layer.tar" .
    done
    python3 - <<'PYTHON'
import hashlib, json, os
os.makedirs("layout/blobs/sha256")

def put(data, media):
    h = hashlib.sha256(data).hexdigest()
    open("layout/blobs/sha256/" + h, "wb").write(data)
    return {"mediaType": "application/vnd.oci.image." + media, "digest": "sha256:" + h, "size": len(data)}

layers = [put(open(f"more{n}.tar", "rb").read(), "layer.v1.tar") for n in "123"]
config = put(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [l["digest"] for l in layers]}}).encode(), "config.v1+json")
top = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers}).encode(), "manifest.v1+json")
json.dump({"schemaVersion": 2, "manifests": [top]}, open("layout/index.json", "w"))
open("layers", "w").write("".join(l["digest"][7:19] + "\n" for l in layers))
PYTHON
    echo '{}' >auth.json
    export REGISTRY_AUTH_FILE=$T/auth.json
    # shellcheck disable=SC2016 # for the shell below
    local pull='printf "[[registry]]\nlocation = \"127.0.0.1:%s\"\ninsecure = true\n" $PORT >"$HOME/.config/containers/registries.conf"
        exec python3 "$0/on-a-terminal" shown "$1" "$3" "$COFFERDAM" image pull "127.0.0.1:$PORT/$2:1" pulled:1 --platform linux/amd64'
    export COFFERDAM
    for columns in 100 40; do
        python3 "$images/registry-of" layout bash -c "$pull" "$images" $columns good/x '' >said
        [ "$(cat said)" = 'status 0' ] || { cat -v said shown; fail "a terminal of $columns columns"; }
        for layer in $(cat layers); do
            # too narrow for a bar: the figures alone
            local want='\[=*>*-*\]'
            [ $columns != 40 ] || want='[ 0-9.]*KiB'
            [ "$(grep -c "Copying blob $layer $want" shown)" -ge 2 ] || { cat -v shown; fail "no bar of $layer at $columns columns"; }
        done
        cofferdam image verify pulled:1 >said
        cofferdam image rm pulled:1 >said 2>&1
    done
    python3 - shown <<'PYTHON'
import re, sys
left = re.sub(rb"\x1b\[[0-9]*A|\x1b\[[JK]", b"", open(sys.argv[1], "rb").read())
assert not re.search(rb"[^\r\n\t -~]", left), left
assert max(map(len, re.split(rb"[\r\n]+", left))) <= 40, left
PYTHON
    # what a registry says is text
    python3 "$images/registry-of" layout bash -c "$pull" "$images" 80 evil/x '' >said
    expect_equal "$(cat said)" 'status 125'
    grep -q owned shown || { cat -v shown; fail 'the registry was not heard'; }
    ! grep -q "$(printf '\033\\]')" shown || { cat -v shown; fail 'a title'; }
    ! grep -q "$(printf '\033\\[2J')" shown || { cat -v shown; fail 'a cleared screen'; }
    ! LC_ALL=C grep -q "$(printf '[\200-\237]')" shown || { cat -v shown; fail 'C1'; }
    # ctrl-C
    python3 "$images/registry-of" layout bash -c "$pull" "$images" 80 stuck/x '[=' >said
    expect_equal "$(cat said)" 'signal 2'
    expect_equal "$(ls "$STORE/tmp")" '' 'what is left in tmp'
    expect_equal "$(cofferdam image list --quiet)" ''
    # and in a pipe a line for each layer
    # shellcheck disable=SC2016
    pull='exec "$COFFERDAM" image pull "127.0.0.1:$PORT/good/x:1" piped:1 --platform linux/amd64'
    python3 "$images/registry-of" layout bash -c 'printf "[[registry]]\nlocation = \"127.0.0.1:%s\"\ninsecure = true\n" $PORT >"$HOME/.config/containers/registries.conf"; '"$pull" >said 2>errors
    expect_equal "$(cat said)" piped:1
    expect_equal "$(grep -c '^Copying blob sha256:' errors)" 3
    ! grep -q "$(printf '[\r\033]')" errors || { cat -v errors; fail 'a bar in a pipe'; }
}

# The lines of the README that others fit in by, as they stand there.
test_the_lines_of_the_readme() {
    begin podman buildah
    [ "$(id -u)" = 0 ] || need subids
    [ -r "$SOURCE_DIR/README.md" ] || { echo 'needs the source tree' >"$T/skip"; exit 77; }
    trap forget_podman EXIT
    local line container count=0
    printf 'FROM scratch\nADD rootfs.tar /\n' >Containerfile
    container=$(buildah from scratch)
    buildah add -q "$container" rootfs.tar / >buildah.log
    mkdir programs && ln -s "$COFFERDAM" programs/cofferdam
    while read -r line; do
        rm -f tool.tar
        case $line in
        mmdebstrap*) continue ;;
        esac
        case $line in "podman save tool"* | *'podman load'*) ;; *) cofferdam image rm tool >errors 2>&1 </dev/null || : ;; esac
        PATH=$T/programs:$PATH bash -euc "${line/CONTAINER/$container}" >said 2>&1 </dev/null || fail "$line: $(cat said)"
        expect_equal "$(cofferdam run --image tool -- cat /etc/old </dev/null)" old "$line"
        count=$((count + 1))
    done < <(sed -n '/those who do fit in:$/,/^Every digest/p' "$SOURCE_DIR/README.md" | sed -n 's/^    \(mmdebstrap\|podman\|buildah\|cofferdam\)/\1/p')
    [ "$count" = 4 ] || fail "$count lines"
}

test_mmdebstrap() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo 'needs --long' >"$T/skip"; exit 77; }
    begin mmdebstrap
    mmdebstrap --variant=minbase bookworm root.tar >mmdebstrap.log 2>&1 || {
        echo 'needs a mirror of Debian' >"$T/skip"
        exit 77
    }
    cofferdam image import root.tar debian:mine >said
    # launched by whatever is here, and its own programs work
    # shellcheck disable=SC2016 # for the shell inside
    local runtime count=0
    for runtime in native crun runc runsc; do
        have "$runtime" || [ $runtime = native ] || continue
        capture cofferdam run --runtime $runtime --image debian:mine -- \
            bash -euc '. /etc/os-release; echo $VERSION_CODENAME; perl -e "print 6*7, qq(\n)"; dpkg -s bash | grep ^Status; id -u'
        # what cannot start here has tests of its own
        [ $STATUS != 125 ] || [ $runtime = native ] || { show_capture; continue; }
        expect_status 0
        expect_out $'bookworm\n42\nStatus: install ok installed\n0'
        count=$((count + 1))
    done
    [ $count -ge 1 ] || fail 'started by none'
    cofferdam image verify debian:mine >said
}

USERS='user ranges root'
run_tests "$@"
