#!/bin/bash
# Images: in and out of the store, what they want, what hostile ones cannot do.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

# A store for each test alone.
new_store() {
    export XDG_DATA_HOME=$T/data
    STORE=$XDG_DATA_HOME/cofferdam/images
}

# A root file system of one static program, in $T/rootfs.
make_rootfs() {
    local busybox name
    busybox=$(type -P busybox)
    if ldd "$busybox" >"$T/ldd" 2>&1; then
        must busybox && fail 'needs a busybox that is static'
        echo 'needs a busybox that is static' >"$T/skip"
        exit 77
    fi
    mkdir -p rootfs/bin rootfs/etc rootfs/var/data
    cp "$busybox" rootfs/bin/busybox
    for name in sh ls cat echo id env stat touch rm readlink sleep test; do
        ln -s busybox "rootfs/bin/$name"
    done
    printf '%s\n' root:x:0:0::/root:/bin/sh app:x:1000:1000::/var/data:/bin/sh >rootfs/etc/passwd
    printf '%s\n' root:x:0: app:x:1000: >rootfs/etc/group
    echo old >rootfs/etc/old
    mkdir rootfs/etc/dir && echo lower >rootfs/etc/dir/lower
    tar -C rootfs --owner=0 --group=0 --numeric-owner --sort=name -cf rootfs.tar .
}

hash_of() { sha256sum <"$1" | cut -d' ' -f1; }

# put_blob FOLDER FILE: its descriptor without the brace's end.
put_blob() {
    local hash
    hash=$(hash_of "$2")
    mkdir -p "$1/blobs/sha256"
    cp "$2" "$1/blobs/sha256/$hash"
    printf '"digest":"sha256:%s","size":%s}' "$hash" "$(stat -c %s "$2")"
}

# make_layout FOLDER NAME CONFIG TAR…: an OCI layout by hand; layers gzipped.
make_layout() {
    local folder=$1 name=$2 config=$3 tar layers='' ids=''
    shift 3
    mkdir -p "$folder"
    for tar in "$@"; do
        gzip -nc "$tar" >"$tar.gz"
        ids=$ids${ids:+,}\"sha256:$(hash_of "$tar")\"
        layers=$layers${layers:+,}'{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",'$(put_blob "$folder" "$tar.gz")
    done
    printf '{"architecture":"amd64","os":"linux","config":%s,"rootfs":{"type":"layers","diff_ids":[%s]}}' \
        "$config" "$ids" >config.json
    printf '{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s,"layers":[%s]}' \
        "$(put_blob "$folder" config.json)" "$layers" >manifest.json
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","annotations":{"org.opencontainers.image.ref.name":"%s"},%s]}' \
        "$name" "$(put_blob "$folder" manifest.json)" >"$folder/index.json"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$folder/oci-layout"
}

# What a second layer changes: one file gone, one folder anew, one file added.
make_second_layer() {
    mkdir -p second/etc/dir
    : >second/etc/.wh.old
    : >second/etc/dir/.wh..wh..opq
    echo upper >second/etc/dir/upper
    echo new >second/etc/new
    tar -C second --owner=0 --group=0 --numeric-owner --sort=name -cf second.tar etc
}

nothing_half_done() {
    expect_equal "$(ls "$STORE/tmp")" '' "what is left in tmp"
}

test_a_root_file_system_runs_in_any_wrapping() {
    need userns busybox
    new_store
    make_rootfs
    gzip -k rootfs.tar
    cofferdam image import rootfs.tar plain
    cofferdam image import rootfs.tar.gz
    cofferdam image import rootfs folder:1
    for wrapping in 'xz xz' 'bzip2 bz2' 'zstd zst' 'lzma lzma' 'lzip lz' 'lz4 lz4' 'compress Z'; do
        case $wrapping in
        lzip* | compress* | lz4*) # by what bsdtar brings
            type -P bsdtar >"$T/null" || continue
            bsdtar -cf "rootfs.tar.${wrapping#* }" "--${wrapping% *}" @rootfs.tar 2>"$T/null" || continue ;;
        *)
            type -P "${wrapping% *}" >"$T/null" || continue
            "${wrapping% *}" -qk rootfs.tar ;;
        esac
        cofferdam image import "rootfs.tar.${wrapping#* }" "${wrapping% *}:1"
        expect_equal "$(cofferdam run --image "${wrapping% *}:1" -- cat /etc/old)" old
    done
    for image in plain rootfs folder:1; do
        expect_equal "$(cofferdam run --image $image -- cat /etc/old)" old
    done
    capture cofferdam image list
    expect_out_has 'folder:1'
    capture cofferdam image verify
    expect_status 0
    nothing_half_done
}

test_layers_stand_on_one_another() {
    need userns busybox
    new_store
    make_rootfs
    make_second_layer
    make_layout two two:1 '{"Env":["A=b c","NAKED"],"Entrypoint":["/bin/echo","said:"],"Cmd":["hello"],"WorkingDir":"/etc","User":"app","StopSignal":"SIGUSR1","Labels":{"k":"v"}}' rootfs.tar second.tar
    capture cofferdam image import two
    expect_out two:1
    expect_equal "$(cofferdam run --image two:1)" 'said: hello'
    expect_equal "$(cofferdam run --image two:1 -- bye)" 'said: bye'
    # shellcheck disable=SC2016 # for the shell inside
    capture cofferdam run --image two:1 --entrypoint '' -- sh -c 'ls /etc/dir; cat new; test -e old || echo gone; pwd; echo "$A $HOME"; id -u'
    expect_out $'upper\nnew\ngone\n/etc\nb c /var/data\n1000'
    # shellcheck disable=SC2016
    capture cofferdam run --image two:1 --entrypoint '' -w / -u 7 -e A=x -- sh -c 'pwd; echo $A; id -u; touch /etc/w && rm /etc/new && ls /etc/dir'
    if [ "$(id -u)" = 0 ]; then
        expect_out $'/\nx\n7'
        expect_err_has '/etc/w: Permission denied'
    else # of one id only
        expect_out $'/\nx\n7\nupper'
        expect_status 0
    fi
    expect_equal "$(cofferdam run --image two:1 --entrypoint '' -- cat new)" new 'after another has removed it'
    capture cofferdam plan --json --image two:1
    python3 - 3<"$T/out" <<'EOF'
import json, os
p = json.load(os.fdopen(3))["plan"]
assert p["stop_signal"] == 10 and "k=v" in p["labels"] and not any(e.startswith("NAKED") for e in p["env"]), p
EOF
    tar -C two -cf two.tar .
    cofferdam image rm two:1
    cofferdam image import two.tar again
    expect_equal "$(cofferdam run --image again)" 'said: hello'
}

# Where there are ids for them (root, or a user's ranges) files keep their owners; else all is the caller's.
test_owners_are_those_of_the_layer() {
    need userns busybox
    new_store
    make_rootfs
    rm -rf second && mkdir second
    mkdir second/srv && echo mine >second/srv/mine && mkdir second/srv/closed && echo x >second/srv/closed/in
    tar -C second --owner=1000 --group=100 --mode=u+rwX,go= --numeric-owner -cf second.tar srv
    make_layout two two:1 '{"User":"app"}' rootfs.tar second.tar
    cofferdam image import two >said
    # shellcheck disable=SC2016 # for the shell inside
    capture cofferdam run --image two:1 -- sh -c 'id -u; stat -c %u:%g:%a /srv/mine /srv/closed; cat /srv/mine /srv/closed/in; stat -c %u /etc/old'
    if [ "$COFFERDAM_TEST_AS" = user ]; then
        expect_out_has $'mine\nx'
    else
        expect_out $'1000\n1000:100:600\n1000:100:700\nmine\nx\n0'
        capture cofferdam run --image two:1 -- sh -c 'touch /srv/new && stat -c %u:%g /srv/new; stat -c %u:%g:%a / /etc; touch /tmp/x; touch /etc/new'
        expect_out $'1000:1000\n0:0:755\n0:0:755'
        expect_err_has 'Permission denied'
        # what is put into a folder leaves it to whom it belongs, whichever layer it is of
        mkdir lent && echo lent >lent/file
        capture cofferdam run --image two:1 --mount ./lent:/srv/closed/lent --copy-in ./lent/file:/srv/closed/copy -- \
            sh -c 'stat -c %n:%u:%g:%a /srv /srv/closed; touch /srv/closed/new'
        expect_status 0
        expect_out $'/srv:1000:100:700\n/srv/closed:1000:100:700'
    fi
    if [ "$COFFERDAM_TEST_AS" = ranges ]; then
        local layer
        layer=$STORE/layers/ranges/$(hash_of second.tar)/fs
        expect_equal "$(unshare --map-root-user --map-auto stat -c %u:%g "$layer/srv/mine")" 1000:100
        expect_file "$STORE/layers/self/$(hash_of second.tar)/fs/srv/mine"
    fi
    cofferdam image rm two:1 >said 2>&1
    expect_equal "$(find "$STORE/layers" -mindepth 2)" '' 'layers of others'
}

# wants NAME CONFIG [LAYER.tar…]: an image NAME:1 of rootfs.tar and those, with that configuration.
wants() {
    rm -rf wanted
    make_layout wanted "$1:1" "$2" rootfs.tar "${@:3}"
    cofferdam image import wanted >said
}

# Volumes and the folder to start in are made where they are missing, through the image's own links; what
# is there keeps its owner and bits, and can be written where the rest cannot.
test_folders_an_image_counts_on() {
    need userns busybox
    new_store
    make_rootfs
    mkdir -p rootfs/srv/kept
    chmod 2750 rootfs/srv/kept
    echo seed >rootfs/srv/kept/seed
    ln -s /srv rootfs/short
    ln -s ../../../new rootfs/dangling
    tar -C rootfs --owner=0 --group=0 --numeric-owner --sort=name -cf rootfs.tar .
    local runtime readonly
    for runtime in native crun runc runsc; do
        [ $runtime = native ] || type -P $runtime >"$T/null" || continue
        wants folders '{"Volumes":{"/srv/kept":{},"/a/b/":{},"/short/../short/kept/in":{},"/dangling":{},"/":{},"relative":{},"/proc/x":{}},"WorkingDir":"/short/../../short/work"}'
        # shellcheck disable=SC2016 # for the shell inside
        capture cofferdam run --runtime $runtime --set resources.limits=best-effort --image folders:1 -- \
            sh -c 'pwd; cat /srv/kept/seed; stat -c %n:%a /srv/kept /srv/kept/in /a/b /new /relative /srv/work; touch /a/b/x /srv/work/x /etc/x'
        [ $STATUS != 125 ] || [ $runtime = native ] || continue # what cannot start here has tests of its own
        expect_status 0
        expect_out $'/srv/work\nseed\n/srv/kept:2750\n/srv/kept/in:2755\n/a/b:755\n/new:755\n/relative:755\n/srv/work:755'
        # shellcheck disable=SC2016
        capture cofferdam run --runtime $runtime --set resources.limits=best-effort --set isolation.read-only=yes --image folders:1 -- \
            sh -c 'cat /srv/kept/seed; for d in /srv/kept /srv/kept/in /a/b /new /relative; do touch $d/x || echo $d; done; touch /etc/x /srv/x /srv/work/x'
        if [ $runtime = runsc ]; then
            expect_status 125
            expect_err_has 'isolation.read-only'
            continue
        fi
        expect_out seed
        [ "$(grep -c 'Read-only file system' "$T/err")" = 3 ] || { show_capture; fail "$runtime: what is read-only"; }
        wants file '{"Volumes":{"/etc/old":{}}}'
        capture cofferdam run --runtime $runtime --set resources.limits=best-effort --image file:1 -- sh -c :
        expect_status 125
        expect_err_has '/etc/old: the image wants a folder'
    done
    cofferdam run --name changed --keep always --set resources.limits=best-effort --image folders:1 -- sh -c 'echo x >/a/b/mine' 2>said
    capture cofferdam diff changed
    expect_out_has /a/b/mine
    expect_out_lacks relative
    cofferdam rm --force changed
    wants relative '{"WorkingDir":"srv"}'
    capture cofferdam run --image relative:1 -- sh -c :
    expect_status 125
    expect_err_has 'srv is not absolute'
    expect_equal "$(cofferdam run --image relative:1 -w /srv -- sh -c pwd)" /srv
}

# Names are looked up in the image's own plain files: of a link, which could lead anywhere, it says so.
test_a_list_of_users_that_is_a_link_is_not_followed() {
    need userns busybox
    new_store
    make_rootfs
    mkdir -p linked/etc
    echo app:x:0:0::/:/bin/sh >linked/etc/real
    ln -s real linked/etc/passwd
    tar -C linked --owner=0 --group=0 --numeric-owner -cf linked.tar .
    wants linked '{"User":"app"}' linked.tar
    capture cofferdam run --image linked:1 -- id -u
    expect_status 125
    expect_err_has "user app is not in its /etc/passwd, which is a link"
    capture cofferdam run --image linked:1 --user root -- id -u
    expect_status 0
    expect_out 0
}

# The words of an image that make sense to docker make the same sense here; the others are refused by name.
test_a_disk_limit_holds_or_is_refused() {
    need userns busybox
    new_store
    make_rootfs
    cofferdam image import rootfs.tar limited:1 >said
    local runtime
    for runtime in native crun runc runsc; do
        [ $runtime = native ] || type -P $runtime >"$T/null" || continue
        # shellcheck disable=SC2016 # for the shell inside
        capture cofferdam run --runtime $runtime --set resources.limits=best-effort --set resources.disk=4M --image limited:1 -- \
            sh -c 'i=0; while [ $i -lt 8 ] && cat /bin/busybox >/etc/$i; do i=$((i + 1)); done; [ $i -lt 8 ]; s=$?; rm -f /etc/?; exit $s'
        [ $STATUS != 125 ] || [ $runtime = native ] || continue
        expect_status 0
        expect_err_has 'No space left'
        capture cofferdam run --runtime $runtime --keep always --set resources.disk=4M --image limited:1 -- sh -c :
        expect_status 125
        expect_err_has 'resources.disk'
    done
}

test_odd_words_of_an_image() {
    need userns busybox
    new_store
    make_rootfs
    sed -i 's/^app:x:1000:$/app:x:1000:\nextra:x:50:app/' rootfs/etc/group
    tar -C rootfs --owner=0 --group=0 --numeric-owner --sort=name -cf rootfs.tar .
    local row said want signal
    # shellcheck disable=SC2016 # for the shell inside
    for row in app=1000:1000:/var/data 1000=1000:1000:/var/data 01000=1000:1000:/var/data app:extra=1000:50:/var/data app:=1000:1000:/var/data \
        :50=0:50:/root =0:0:/root 4321=4321:0:/ 4321:99=4321:99:/; do
        said=${row%%=*} want=${row#*=}
        wants user "{\"User\":\"$said\"}"
        expect_equal "$(cofferdam run --image user:1 -- sh -c 'echo $(id -u):$(id -g):$HOME')" "$want" "user $said"
    done
    for said in nobody app:nogroup -1 +5 0x10 4294967295 99999999999 ' app' 1:2:3 '\u001b[2J'; do
        wants user "{\"User\":\"$said\"}"
        capture cofferdam run --image user:1 -- sh -c :
        expect_status 125
        expect_err_has "the image's"
        ! grep -q $'\033' "$T/err" || fail 'control characters'
    done
    for row in SIGRTMIN+3=37 rtmin=34 RTMAX-1=63 9=9 QUIT=3 sigint=2 64=64 =15; do
        wants signal "{\"StopSignal\":\"${row%%=*}\"}"
        signal=$(cofferdam plan --json --image signal:1 | json 'd["plan"]["stop_signal"]')
        expect_equal "$signal" "${row#*=}" "stop signal ${row%%=*}"
    done
    for said in bogus 0 65 -1 RTMIN+ RTMIN-1 RTMAX+1 RTMIN+31 'RTMIN+ 3' ' 9'; do
        wants signal "{\"StopSignal\":\"$said\"}"
        capture cofferdam run --image signal:1 -- sh -c :
        expect_status 125
        expect_err_has 'stop signal'
        capture cofferdam run --set lifecycle.stop-signal=TERM --image signal:1 -- sh -c :
        expect_status 0
    done
    wants command '{"Env":["NAKED","=x","A=","B=a=b","A=2","C= s "],"Entrypoint":[],"Cmd":["sh","-c","env"]}'
    capture cofferdam run --image command:1
    expect_status 0
    for row in A=2 B=a=b 'C= s '; do grep -qxF -e "$row" "$T/out" || { show_capture; fail "no $row"; }; done
    ! grep -qE '^(NAKED|=x|A=)$' "$T/out" || { show_capture; fail 'variables that are none'; }
    for said in '{"Cmd":[""]}' '{"Entrypoint":[""],"Cmd":["ls"]}'; do
        wants command "$said"
        capture cofferdam run --image command:1
        expect_status 125
        expect_err_has 'empty word'
    done
}

test_a_docker_archive() {
    need userns busybox
    new_store
    make_rootfs
    make_second_layer
    make_layout ignored x '{}' rootfs.tar second.tar
    mkdir -p saved/one saved/two
    mv rootfs.tar saved/one/layer.tar
    mv second.tar saved/two/layer.tar
    ln -s ../one/layer.tar saved/two/same.tar
    cp config.json saved/c.json
    echo '[{"Config":"c.json","RepoTags":["docker.io/library/saved:7","other/saved:8"],"Layers":["one/layer.tar","two/layer.tar"]}]' >saved/manifest.json
    mv saved/one "saved/$(printf 'a%.0s' {1..64})"
    mv saved/two "saved/$(printf 'b%.0s' {1..64})"
    sed -i "s,one/layer,$(printf 'a%.0s' {1..64})/layer,; s,two/layer,$(printf 'b%.0s' {1..64})/layer," saved/manifest.json
    tar -C saved -cf saved.tar .
    capture cofferdam image import saved.tar
    expect_out $'saved:7\nother/saved:8'
    expect_equal "$(cofferdam run --image saved:7 -- cat /etc/dir/upper)" upper
    expect_equal "$(cofferdam run --image other/saved:8 -- ls /etc/dir)" upper
}

test_names_come_and_go() {
    need userns busybox
    new_store
    make_rootfs
    cofferdam image import rootfs.tar one
    cofferdam image tag one two:2
    cofferdam image rm one
    capture cofferdam run --image one -- true
    expect_status 125
    expect_err_has 'no image one'
    expect_equal "$(cofferdam run --image two:2 -- echo still)" still
    capture cofferdam image inspect tow:2
    expect_status 125
    expect_err_has two:2
    cofferdam run --detach --name holder --image two:2 -- sleep 100
    cofferdam image rm two:2
    [ -n "$(find "$STORE/layers" -name busybox)" ] || fail 'a layer in use is gone'
    cofferdam exec holder cat /etc/old
    cofferdam rm --force holder
    cofferdam image prune
    expect_equal "$(find "$STORE/layers" "$STORE/blobs" -type f)" '' 'what is left'
    capture cofferdam image import rootfs.tar '../Bad Name'
    expect_status 125
}

test_others_read_what_is_exported() {
    need userns busybox
    new_store
    make_rootfs
    make_second_layer
    make_layout two two:1 '{"Cmd":["sh"]}' rootfs.tar second.tar
    cofferdam image import two
    cofferdam image export two:1 exported
    cofferdam image export two:1 exported.tar
    cofferdam image import exported.tar back:1
    expect_equal "$(cofferdam image inspect --json back:1 | grep -c "$(cofferdam image inspect two:1 | sed -n 's/^digest *//p')")" 1
    capture cofferdam image export two:1 exported
    expect_status 125
    if type -P skopeo >"$T/null"; then
        skopeo inspect --config oci:exported:two:1 >"$T/out"
        grep -q diff_ids "$T/out" || fail 'skopeo does not see it'
        skopeo copy -q --insecure-policy oci-archive:exported.tar docker-archive:d.tar:x:1
        cofferdam image import d.tar
        expect_equal "$(cofferdam run --image x:1 -- cat /etc/new)" new
        cofferdam image pull oci:exported:two:1 pulled
        expect_equal "$(cofferdam run --image pulled -- cat /etc/new)" new
    fi
    if type -P umoci >"$T/null" && [ "$(id -u)" = 0 ]; then
        umoci unpack --image exported:two:1 bundle >"$T/null" 2>&1
        expect_file bundle/rootfs/etc/new
        expect_no_file bundle/rootfs/etc/old
    fi
}

# Through TLS, with a password: both are skopeo's affair, and ours is to let it have them.
test_a_registry() {
    need userns busybox skopeo docker-registry openssl
    new_store
    make_rootfs
    make_layout one one:1 '{"Cmd":["echo","pulled"]}' rootfs.tar
    cofferdam image import one
    cofferdam image export one:1 exported
    openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost 2>"$T/null"
    local port certs=$HOME/.config/containers/certs.d
    port=$(free_port)
    # a password as bcrypt, which is all this registry takes
    python3 -W ignore -c 'import crypt; print("ann:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH)))' >htpasswd 2>"$T/null" ||
        { echo 'needs python3 with crypt' >"$T/skip"; exit 77; }
    cat >registry.yml <<EOF
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $T/registry}}
http: {addr: "127.0.0.1:$port", tls: {certificate: $T/cert, key: $T/key}}
auth: {htpasswd: {realm: test, path: $T/htpasswd}}
EOF
    docker-registry serve registry.yml >registry.log 2>&1 &
    local registry=$!
    # shellcheck disable=SC2064
    trap "kill $registry 2>/dev/null; rm -rf '$HOME/.config/containers'" EXIT
    listens() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>"$T/null"; }
    await 20 listens
    mkdir -p "$certs/localhost:$port"
    cp cert "$certs/localhost:$port/ca.crt"
    printf '{"default":[{"type":"insecureAcceptAnything"}]}' >"$HOME/.config/containers/policy.json"
    export REGISTRY_AUTH_FILE=$T/auth.json
    capture cofferdam image pull "localhost:$port/some/where:2"
    expect_status 125
    skopeo login -u ann -p secret "localhost:$port" >"$T/null"
    skopeo copy -q oci:exported:one:1 "docker://localhost:$port/some/where:2"
    cofferdam image pull "localhost:$port/some/where:2"
    cofferdam image pull "docker://localhost:$port/some/where:2" mine
    expect_equal "$(cofferdam run --image mine)" pulled
    expect_equal "$(cofferdam run --image "localhost:$port/some/where:2")" pulled
    nothing_half_done
}

# Mode, times, links, attributes and content as GNU tar has them; owners are root's where it is root.
test_a_tree_is_as_tar_makes_it() {
    need userns
    new_store
    mkdir -p tree/a/b tree/empty
    chmod 1777 tree/empty
    chmod 6755 tree/a
    printf x >tree/a/b/file
    chmod 4711 tree/a/b/file
    ln tree/a/b/file tree/hard
    ln -s a/b/file tree/soft
    ln -s ../../../x tree/a/out
    mkfifo tree/fifo
    truncate -s 3M tree/holes
    printf y | dd of=tree/holes bs=1 seek=2000000 conv=notrunc status=none
    printf z >"tree/$(printf 'long%.0s' {1..50})"
    printf z >"tree/$(printf 'e\314\201 \303\251 \377 \n')"
    find tree -exec touch -hd '2001-02-03 04:05:06.789' {} +
    for form in pax gnu; do
        rm -rf plain
        tar -C tree --format=$form --sparse --sort=name -cf $form.tar .
        mkdir plain && tar -C plain --numeric-owner -xpf $form.tar
        cofferdam image import $form.tar $form
        local layer
        layer=$(echo "$STORE"/layers/*/"$(hash_of $form.tar)"/fs)
        (cd plain && find . -printf '%P %y %m %s %T@ %l %n\n' | sed 's/ \([0-9]*\) \([0-9.]*\) *\(.*\)$/ \1 \2 \3/' | sort) >want
        (cd "$layer" && find . -printf '%P %y %m %s %T@ %l %n\n' | sed 's/ \([0-9]*\) \([0-9.]*\) *\(.*\)$/ \1 \2 \3/' | sort) >is
        diff want is || fail "$form differs"
        cmp plain/holes "$layer/holes"
        [ "$(stat -c %b "$layer/holes")" -lt 1000 ] || fail 'the holes are filled'
    done
}

test_hostile_images_do_nothing() {
    need userns
    new_store
    "$SOURCE_DIR/tests/images/make-hostile" corpus
    echo sentinel >sentinel
    local path name
    for path in corpus/refuse/*; do
        name=${path##*/}
        # sanitizers need more memory than a limit would leave
        [ $name != dictionary-huge.tar.xz ] || ! grep -q __asan_init "$COFFERDAM" || continue
        case $name in *.tar*) set -- bad:1 ;; *) set -- ;; esac
        capture timeout 60 "$COFFERDAM" image import "$path" "$@"
        [ "$STATUS" = 125 ] || { show_capture; fail "$name has status $STATUS"; }
        [ -s "$T/err" ] || fail "$name is refused without a word"
        ! grep -q $'[\001-\010\013-\037]' "$T/err" || fail "$name: control characters"
        nothing_half_done
    done
    capture cofferdam image list --quiet
    expect_out ''
    while read -r name words; do
        case $name in *.tar*) set -- bad:1 ;; *) set -- ;; esac
        capture cofferdam image import "corpus/refuse/$name" "$@"
        expect_err_has "$words"
    done <<'EOF'
layout-values-many-objects index.json: a document of more than 131072 values
layout-index-fifo index.json is no regular file
archive-docker-two-of-one-name two images in it are called bad:1
archive-docker-config-empty the name of a file is empty
archive-docker-config-absolute /c.json would lead out of the image
unknown-type.tar member file: the tar stream is broken near byte 512: a member of an unknown type
empty-link.tar member l: it is a link to nothing
global-owner.tar a global header says what only a member's own may
EOF
    for path in corpus/safe/*; do
        name=${path##*/}
        capture timeout 60 "$COFFERDAM" image import "$path" "safe-${name%%.*}:1"
        [ "$STATUS" = 0 ] || { show_capture; fail "$name has status $STATUS"; }
        nothing_half_done
    done
    # what is shown of them is text
    for name in list 'inspect safe-escapes:1' 'history safe-escapes:1' 'verify safe-escapes:1'; do
        # shellcheck disable=SC2086 # words
        capture cofferdam image $name
        expect_status 0
        ! cat "$T/out" "$T/err" | LC_ALL=C grep -q $'[\001-\010\013-\037]\|\342\200\256' || fail "$name: control characters"
    done
    cofferdam image tag safe-no-rights:1 rights:1
    cofferdam image rm safe-no-rights:1 rights:1 2>"$T/null"
    expect_equal "$(find "$STORE/layers" -type d -perm 0)" '' 'folders without rights'
    for path in corpus/refuse-then/*; do
        name=${path##*/}
        capture timeout 60 "$COFFERDAM" image import "$path" bad:1
        [ "$STATUS" = 125 ] || { show_capture; fail "$name has status $STATUS"; }
        nothing_half_done
    done
    capture cofferdam image verify
    expect_status 0
    for path in /tmp/escape /tmp/absolute-member /tmp/over-a-link escape "$STORE/escape"; do
        expect_no_file "$path"
    done
    expect_equal "$(find "$STORE/layers" \( -name absolute-member -o -name kept -o -name null -o -name sda \) | wc -l)" 1 "members"
    # a folder without rights is not for find; whiteouts that were asked for are what is there
    chmod -R u+rwX "$STORE/layers"
    expect_equal "$(find "$STORE/layers" \( -type c -o -type b \) ! -name proc ! -name dev ! -name sys ! -name etc ! -name "gone*" 2>"$T/null" | wc -l)" 0 "devices and forged whiteouts"
    expect_equal "$(find "$STORE/layers" -perm /6000 -type f | wc -l)" 2 "set-id files"
    python3 - "$STORE/layers" <<'EOF'
import os, sys
seen = set()
for folder, folders, files in os.walk(os.fsencode(sys.argv[1])):
    for name in folders + files:
        path = os.path.join(folder, name)
        if not os.path.islink(path):
            seen |= set(os.listxattr(path))
assert seen <= {"user.kept", "user.overlay.opaque"}, seen
names = [n for _, d, f in os.walk(os.fsencode(sys.argv[1])) for n in d + f]
assert "e\u0301".encode() in names and "\u00e9".encode() in names and b"\xff\xfe" in names, "names"
EOF
}

# What is unpacked while it is being looked at, or is there already, is looked at all the same.
test_a_blob_that_unpacks_well_has_to_be_the_right_one() {
    need userns busybox
    new_store
    make_rootfs
    make_second_layer
    make_layout good good:1 '{}' rootfs.tar second.tar
    cp -r good bad
    local blob
    blob=bad/blobs/sha256/$(hash_of second.tar.gz)
    # the same stream behind another time in gzip's header
    printf '\1\2\3\4' | dd of="$blob" bs=1 seek=4 conv=notrunc status=none
    gzip -dc "$blob" | cmp - second.tar
    capture cofferdam image import bad
    expect_status 125
    expect_err_has 'has the digest'
    nothing_half_done
    expect_equal "$(find "$STORE/blobs" "$STORE/layers" -type f)" '' 'what came of it'
    cofferdam image import good
    cofferdam image rm good:1
    cofferdam image import good
    rm "$STORE/blobs/sha256/$(hash_of second.tar.gz)"
    capture cofferdam image import bad other:1
    expect_status 125
    expect_err_has 'has the digest'
    expect_no_file "$STORE/blobs/sha256/$(hash_of second.tar.gz)"
    nothing_half_done
}

# Killed at any instant: the image is there and verifies, or it is not there; the next one clears up.
test_killed_at_any_moment() {
    need userns
    new_store
    mkdir tree
    for i in $(seq 200); do head -c 5000 /dev/urandom >"tree/$i"; done
    tar -C tree -cf tree.tar .
    gzip -k1 tree.tar
    local i
    for i in $(seq 25); do
        "$COFFERDAM" image import tree.tar.gz victim >"$T/null" 2>&1 &
        local pid=$!
        python3 -c 'import sys, time; time.sleep(float(sys.argv[1]))' "0.00$((i * 37 % 100))"
        kill -9 "$pid" 2>"$T/null" || true
        wait "$pid" 2>"$T/null" || true
        capture cofferdam image verify
        expect_status 0
    done
    cofferdam image import tree.tar.gz victim
    nothing_half_done
    expect_equal "$(find "$STORE/layers" -type f -name 200 | wc -l)" 1
    cofferdam image rm victim
    expect_equal "$(find "$STORE/blobs" "$STORE/layers" -type f)" ''
}

test_many_at_once() {
    need userns
    new_store
    mkdir tree
    for i in $(seq 50); do head -c 2000 /dev/urandom >"tree/$i"; done
    tar -C tree -cf tree.tar .
    local i pids=()
    for i in $(seq 8); do
        "$COFFERDAM" image import tree.tar "many:$i" >"$T/null" 2>"$T/err.$i" &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        wait "$i" || { cat "$T"/err.*; fail 'one of many failed'; }
    done
    expect_equal "$(cofferdam image list --quiet | wc -l)" 8
    expect_equal "$(find "$STORE/layers" -name layer.json | wc -l)" 1
    capture cofferdam image verify
    expect_status 0
    nothing_half_done
}

test_a_full_disk_leaves_nothing() {
    need userns root
    mkdir -p small tree
    mount -t tmpfs -o size=2m,mode=0700 none small
    head -c 3000000 /dev/urandom >tree/large
    tar -C tree -cf tree.tar .
    XDG_DATA_HOME=$T/small capture cofferdam image import tree.tar big
    local left
    left=$(find small/cofferdam/images/tmp small/cofferdam/images/blobs/sha256 -mindepth 1)
    XDG_DATA_HOME=$T/small "$COFFERDAM" image list --quiet >list
    umount small
    expect_status 125
    expect_equal "$left$(cat list)" ''
}

USERS='user ranges root'
run_tests "$@"
