#!/usr/bin/env bash
# Builds what the small virtual machine boots: Debian's (or Ubuntu's) own kernel, unpacked and not
# installed, and an initramfs that holds busybox and what the command line names.
#
#   build.sh CACHE OUT PATH...
#
# CACHE keeps the kernel between runs; OUT receives `vmlinuz` and `initramfs`. Every PATH, a program or
# a directory, is put at its own absolute path, a program with the shared libraries it needs: a test
# binary finds the program under test where cargo told it to look.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$1
out=$2
shift 2

die() {
    echo "vm/build.sh: $*" >&2
    exit 1
}

# The kernel packages of this distribution: the meta package is empty, the packages that it depends on
# hold the kernel (Debian) or the kernel and its modules apart (Ubuntu).
kernel_packages() {
    local meta found
    for meta in linux-image-cloud-amd64 linux-image-amd64 linux-image-virtual; do
        found=$(apt-cache depends --important "$meta" 2>/dev/null |
            sed -n 's/^ *Depends: \(linux-\(image\|modules\)-[0-9][^ ]*\)$/\1/p')
        if [[ -n $found ]]; then
            echo "$found"
            return
        fi
    done
}

# Leaves `$cache/kernel/{vmlinuz,release,tree}`. The directory appears in one rename, so a run that was
# killed half-way leaves nothing that a later one would take for a kernel.
fetch_kernel() {
    [[ -s $cache/kernel/release ]] && return
    local work image modules release
    local -a packages
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    # shellcheck disable=SC2064 # the path as it is now
    trap "rm -rf '$work'" EXIT
    mapfile -t packages < <(kernel_packages)
    # The package lists of a fresh container are empty.
    if [[ ${#packages[@]} == 0 ]]; then
        apt-get update -q >&2
        mapfile -t packages < <(kernel_packages)
    fi
    [[ ${#packages[@]} != 0 ]] || die "no kernel package known: needs Debian or Ubuntu on amd64"
    echo "vm/build.sh: downloading ${packages[*]}" >&2
    (cd "$work" && apt-get download -q "${packages[@]}" >&2) || die "cannot download ${packages[*]}"
    mkdir "$work/tree"
    for image in "$work"/*.deb; do
        dpkg-deb -x "$image" "$work/tree"
        rm "$image"
    done
    # Since Debian 13 the modules are below usr/.
    modules=$(find "$work/tree" -type d -path '*/lib/modules/*' -prune | head -n 1)
    [[ -n $modules ]] || die "no modules in ${packages[*]}"
    release=${modules##*/}
    [[ -d $work/tree/lib/modules ]] || ln -s usr/lib "$work/tree/lib"
    mv "$work/tree/boot/vmlinuz-$release" "$work/vmlinuz"
    depmod -b "$work/tree" "$release"
    echo "$release" >"$work/release"
    rm -rf "$cache/kernel"
    mv "$work" "$cache/kernel"
    trap - EXIT
}

# The modules for the named features in loading order, unpacked: busybox cannot load compressed ones.
copy_modules() {
    local release path name number=10
    release=$(cat "$cache/kernel/release")
    mkdir -p "$root/modules"
    # A file already copied keeps its earlier number; a builtin has no file.
    for name in wireguard veth; do
        while read -r path; do
            name=${path##*/}
            name=${name%%.ko*}
            compgen -G "$root/modules/*-$name.ko" >/dev/null && continue
            case $path in
            *.ko) cat "$path" ;;
            *.ko.xz) xz -dc "$path" ;;
            *.ko.zst) zstd -qdc "$path" ;;
            *.ko.gz) gzip -dc "$path" ;;
            *) die "cannot unpack $path" ;;
            esac >"$root/modules/$number-$name.ko"
            number=$((number + 1))
        done < <(modprobe -d "$cache/kernel/tree" -S "$release" --show-depends "$name" | sed -n 's/^insmod \([^ ]*\).*/\1/p')
    done
}

# Copies one file to its own path below the image, its symbolic links followed.
copy_file() {
    [[ -e $root$1 ]] && return
    mkdir -p "$root${1%/*}"
    cp -L "$1" "$root$1"
}

copy_program() {
    local program=$1 library
    [[ -x $program ]] || die "no such program: $program"
    copy_file "$program"
    # A script or a static program has none, and `ldd` says so by its exit code.
    while read -r library; do
        copy_file "$library"
    done < <({ ldd "$program" 2>/dev/null || true; } | grep -o '/[^ ]*')
}

mkdir -p "$cache" "$out"
# Two test runs at once: the second waits for the first one's download.
exec 9>"$cache/lock"
flock 9
fetch_kernel
flock -u 9

root=$(mktemp -d "$out/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
# One /usr for all, as the distributions have it: a script's `#!/bin/bash` must find /usr/bin/bash.
mkdir -p "$root"/{usr/bin,usr/sbin,usr/lib,usr/lib64,dev,proc,sys,run,tmp,etc,var}
for dir in bin sbin lib lib64; do
    ln -s "usr/$dir" "$root/$dir"
done
ln -s ../run "$root/var/run"
echo "127.0.0.1 localhost" >"$root/etc/hosts"
copy_modules
cp "$(command -v busybox)" "$root/bin/busybox"
install -m 0755 "$here/init" "$root/init"
for path in "$@"; do
    if [[ -d $path ]]; then
        mkdir -p "$root${path%/*}"
        cp -a "$path" "$root$path"
    else
        copy_program "$path"
    fi
done
# The debug information of a test binary is most of its weight and nothing reads it in there.
if command -v strip >/dev/null; then
    for path in "$@"; do
        case $path in */target/*) strip --strip-debug "$root$path" ;; esac
    done
fi

cp "$cache/kernel/vmlinuz" "$out/vmlinuz"
# Not compressed: under emulation the unpacking would cost more than the reading.
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$out/initramfs"
