# shellcheck shell=bash
# The kernel that machines boot in tests and measurements, as a package.

# kernel_package [KIND]: the package of Debian's kernel for clouds, or of another kind ("" is the one
# for everything), fetched once for the build.
kernel_package() {
    local kind=${1-cloud-} package cache=$BUILD_DIR/guest
    package=$(find "$cache" -maxdepth 1 -regex ".*/linux-image-[0-9.-]*-${kind}amd64_[^/]*\.deb" 2>/dev/null | head -n 1 || :)
    if [ -z "$package" ]; then
        package=$(apt-cache depends "linux-image-${kind}amd64" 2>/dev/null | sed -n 's/^ *Depends: //p' | head -n 1)
        [ -n "$package" ] && apt-get download -q "$package" >apt.log 2>&1 || return 1
        package=$(echo "$PWD/$package"_*.deb)
        mkdir -p "$cache" 2>/dev/null && cp "$package" "$cache" 2>/dev/null || :
    fi
    echo "$package"
}
