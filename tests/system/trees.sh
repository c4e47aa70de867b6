#!/bin/bash
# Trees: what is unpacked is what GNU tar and umoci make of it, mode, owner, times, attributes, links and content.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

new_store() {
    export XDG_DATA_HOME=$T/data
    STORE=$XDG_DATA_HOME/cofferdam/images
}

# How the owners in an image are to be seen again, for us and for those beside us.
choose_owners() {
    if [ "$(id -u)" = 0 ]; then
        KIND=shifted OWNERS=(--first $((0x7ffe0000))) THEIRS=() WITHIN=() ROOTLESS=() TAR=()
    elif [ "$COFFERDAM_TEST_AS" = ranges ]; then
        KIND=ranges OWNERS=() THEIRS=() WITHIN=(unshare --map-root-user --map-auto) ROOTLESS=() TAR=()
    else
        KIND=self OWNERS=(--mine) THEIRS=(--mine) WITHIN=(unshare --map-root-user) ROOTLESS=(--rootless)
        TAR=(--no-same-owner)
    fi
}

tree_of() { "${WITHIN[@]}" python3 "$SOURCE_DIR/tests/images/tree-of" "$@"; }

by_tar() { # LAYER FOLDER OPTIONS…
    mkdir "$2"
    "${WITHIN[@]}" tar -C "$2" --numeric-owner "${TAR[@]}" "${@:3}" --xattrs '--xattrs-include=*' -xpf "$1" 2>tar.err ||
        { cat tar.err; fail "tar cannot unpack $1"; }
}

by_umoci() { # IMAGE FOLDER
    local within=()
    [ ${#ROOTLESS[@]} -gt 0 ] || within=("${WITHIN[@]}")
    "${within[@]}" umoci unpack "${ROOTLESS[@]}" --image "layout:$1" "$2" >umoci.out 2>&1 ||
        { cat umoci.out; fail "umoci cannot unpack $1"; }
}

# layer_tree FILE LAYER OPTIONS…: ours, of one layer.
layer_tree() {
    local file=$1 layer=$2
    shift 2
    tree_of "$STORE/layers/$KIND/$(sha256sum <"$layer" | cut -d' ' -f1)/fs" "${OWNERS[@]}" "$@" >"$file"
}

# stack_tree FILE IMAGE: ours, of all layers one above the other, as a workload has them.
stack_tree() {
    python3 - layout "$2" >stack <<'EOF'
import json, sys
layout, name = sys.argv[1:]
def blob(d):
    return json.load(open(layout + "/blobs/sha256/" + d["digest"][7:]))
for m in json.load(open(layout + "/index.json"))["manifests"]:
    if m["annotations"]["org.opencontainers.image.ref.name"] == name:
        print(":".join(i[7:] + "/fs" for i in reversed(blob(blob(m)["config"])["rootfs"]["diff_ids"])))
EOF
    mkdir -p merged
    local within=("${WITHIN[@]}")
    [ ${#within[@]} -gt 0 ] || within=(unshare)
    (cd "$STORE/layers/$KIND" && exec "${within[@]}" --mount bash -ec '
        mount -t overlay -o "ro,userxattr,lowerdir=$(cat "$1/stack")" none "$1/merged"
        exec python3 "$2/tests/images/tree-of" "$1/merged" "${@:3}"' - "$T" "$SOURCE_DIR" "${OWNERS[@]}") >"$1"
}

same() { # WHAT THEIRS OURS
    diff "$2" "$3" >differs || { cut -c1-300 differs | head -40; fail "$1: it differs"; }
    [ "$(wc -l <"$3")" -gt "${4:-50}" ] || fail "$1: hardly anything was compared"
}

start_with() { # TAR…
    new_store
    choose_owners
    python3 "$SOURCE_DIR/tests/images/make-odd" . "$@"
    cofferdam image import layout >imported
    [ $KIND != ranges ] || unpack_for_ranges
}

# Layers come in for one id; the first plan with more ids unpacks them for these.
unpack_for_ranges() {
    local name
    while read -r name; do
        cofferdam plan --image "$name" -- /none >plan 2>&1 || { cat plan; fail "no plan of $name"; }
    done <imported
}

test_a_layer_of_odd_things_is_as_tar_makes_it() {
    need userns
    start_with
    by_tar odd.tar theirs
    tree_of theirs --holes "${THEIRS[@]}" >want
    layer_tree is odd.tar --holes
    # tar makes a hard link to a link that leads nowhere last of all, which gives its folder another time
    sed -i 's,^\(links/far d [^ ]* [^ ]* -\) [0-9]*,\1,' want is
    grep -q 'security.capability' is || fail 'no capability was compared'
    grep -q holes is || fail 'no hole was compared'
    same odd want is 80
}

test_a_layer_of_odd_things_is_as_umoci_makes_it() {
    need userns umoci
    start_with
    by_umoci odd bundle
    tree_of bundle/rootfs "${THEIRS[@]}" >want
    layer_tree is odd.tar
    # its reader of archives drops attributes without a value
    sed -i 's/,user.empty=//' is
    # and without root, or a user namespace, it cannot set this one
    [ ${#ROOTLESS[@]} = 0 ] || sed -i 's/{security.capability=[0-9a-f]*}/{}/' is
    same odd want is 80
}

test_thirty_layers_are_as_umoci_flattens_them() {
    need userns umoci
    start_with
    by_umoci many bundle
    tree_of bundle/rootfs "${THEIRS[@]}" >want
    stack_tree is many
    same many want is 200
}

# What of this machine everybody may read, with whatever owners and bits it has.
test_programs_and_settings_of_this_machine() {
    need userns umoci
    { tar -C / --one-file-system --xattrs --sort=name --ignore-failed-read --exclude='*/ssl/private*' \
        -cf given.tar etc usr/sbin usr/share/zoneinfo 2>tar.err || [ $? = 1 ]; } || { cat tar.err; fail 'tar'; }
    start_with given.tar
    by_tar given.tar theirs
    by_umoci given bundle
    tree_of theirs "${THEIRS[@]}" >want
    tree_of bundle/rootfs "${THEIRS[@]}" >umoci.want
    layer_tree is given.tar
    # `etc` and `usr` have no folder above them in the archive: that one has the time of unpacking
    sed -i '/^\. /d; s,^\(usr d [^ ]* [^ ]* -\) [0-9]*,\1,; s,^\(usr/share d [^ ]* [^ ]* -\) [0-9]*,\1,' want umoci.want is
    same 'tar' want is 500
    same 'umoci' umoci.want is 500
}

test_a_root_file_system_of_debian() {
    [ -n "${COFFERDAM_LONG:-}" ] || { echo 'is for --long' >"$T/skip"; exit 77; }
    need userns umoci mmdebstrap
    local mode=()
    choose_owners
    [ $KIND != self ] || mode=(--mode=fakechroot)
    # shellcheck source=/dev/null
    mmdebstrap --quiet --variant=minbase "${mode[@]}" "$(. /etc/os-release && echo "$VERSION_CODENAME")" given.tar >mmdebstrap.out 2>&1 ||
        { tail -n 1 mmdebstrap.out >"$T/skip"; exit 77; }
    start_with given.tar
    by_umoci given bundle
    by_tar given.tar theirs '--exclude=./dev/*'
    tree_of bundle/rootfs "${THEIRS[@]}" >umoci.want
    tree_of theirs "${THEIRS[@]}" >want
    layer_tree is given.tar
    # device nodes are left out, and nobody can make them in a user namespace
    sed -i '/^dev\//d; s,^\(dev d [^ ]* [^ ]* -\) [0-9]*,\1,' want umoci.want is
    same 'tar' want is 4000
    same 'umoci' umoci.want is 4000
}

USERS='user ranges root'
run_tests "$@"
