#!/usr/bin/env bash
# Builds the Debian package and lives its life: lintian, then installed, used, upgraded, removed and
# purged on a machine with a real systemd. That machine is a layer in memory over this one, in
# namespaces of its own: nothing is installed here, and no hub of this machine is touched.
#
# Needs root, and from Debian: systemd, dbus, dpkg-dev, lintian, util-linux, wireguard-tools,
# wireguard-go, zsh, fish, man-db, jq, curl, python3. IWAS_WG_DEB_PROFILE=release packs what users
# get; the default packs the program that the other tests have built already: its life does not hang
# on its speed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo_deb=3.8.0
profile=${IWAS_WG_DEB_PROFILE:-dev}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
out=$target/deb
exposure=2.5

die() {
  echo "package.sh: $*" >&2
  exit 1
}
[[ $EUID == 0 ]] || die "needs root: it boots a machine in namespaces"

# 1. The package, in two versions.
deb=$target/tools/bin/cargo-deb
if [[ $("$deb" --version 2>/dev/null || true) != "$cargo_deb" ]]; then
  cargo install --quiet cargo-deb --version "$cargo_deb" --locked --debug \
    --root "$target"/tools --target-dir "$target"/tools/build
fi
rm -rf "$out"
mkdir -p "$out"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
pack() { CARGO_TERM_QUIET=true "$deb" --quiet --profile "$profile" --strip --fast --deb-version "$version-$1" -o "$out/$2" >/dev/null; }
pack 1 first.deb
pack 2 next.deb

# 2. What can be said without running it. Whatever page, unit or example somebody adds is in it.
doc=usr/share/doc/iwas-wg
wanted() {
  (cd man && find . -name '*.5' -printf 'usr/share/man/man5/%P.gz\n' -o -name '*.8' -printf 'usr/share/man/man8/%P.gz\n')
  (cd packaging/systemd && find . -type f -printf 'usr/lib/systemd/system/%P\n')
  (cd examples && find . -type f ! -name quickstart.sh -printf "$doc/examples/%P\n")
  printf '%s\n' etc/iwas-wg/environment usr/bin/iwas-wg usr/share/bash-completion/completions/iwas-wg \
    usr/share/fish/vendor_completions.d/iwas-wg.fish usr/share/lintian/overrides/iwas-wg \
    usr/share/zsh/vendor-completions/_iwas-wg "$doc"/{README.Debian,README.md,changelog.Debian.gz,copyright}
}
packed() { dpkg-deb --fsys-tarfile "$out"/first.deb | tar -t | sed -n 's|^\./\(.*[^/]\)$|\1|p'; }
differs=$(diff <(wanted | sort) <(packed | sort)) || die "the package's content is not as wanted: $differs"
lintian --allow-root --fail-on error "$out"/first.deb
units=$out/units
dpkg-deb --fsys-tarfile "$out"/first.deb | tar -x -C "$out" ./usr/lib/systemd/system
mv "$out"/usr/lib/systemd/system "$units"
rm -r "${out:?}"/usr
for unit in "$units"/*.service; do
  # In tenths; a threshold that is passed is an exit code.
  systemd-analyze security --offline=true --no-pager --threshold="${exposure/./}" "$unit" >"$out"/security.log 2>&1 ||
    die "$(basename "$unit") is exposed more than $exposure: $(tail -n 1 "$out"/security.log)"
done

# 3. A machine for it.
group=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)/iwas-wg-package-$$
layer=$(mktemp -d)
shown=$out/shown
mkdir "$shown"
cp "$out"/{first,next}.deb tests/package/life.sh "$shown"/
init=
cleanup() {
  trap - EXIT
  # The first process takes all others of its machine with it.
  [[ -z $init ]] || kill -KILL "$init" 2>/dev/null || true
  for _ in {1..50}; do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [[ -d $group ]] || break
    sleep 0.1
  done
  rmdir "$layer" 2>/dev/null || true
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir "$group"
(
  echo "$BASHPID" >"$group"/cgroup.procs
  exec setsid unshare --mount --net --pid --ipc --uts --cgroup --fork \
    tests/package/boot.sh "$layer" "$shown" >"$out"/boot.log 2>&1 </dev/null
) &
outer=$!
for _ in {1..100}; do
  init=$(pgrep -P "$outer" || true)
  [[ -z $init ]] || break
  sleep 0.1
done
[[ -n $init ]] || die "the machine did not start: $(cat "$out"/boot.log)"
inside() { nsenter --target "$init" --mount --net --pid --ipc --uts --cgroup "$@"; }
for _ in {1..300}; do
  state=$(inside systemctl is-system-running 2>/dev/null </dev/null || true)
  [[ $state != running && $state != degraded ]] || break
  sleep 0.1
done
[[ $state == running || $state == degraded ]] || die "the machine is $state: $(cat "$out"/boot.log)"

# 4. Its life there.
inside env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root TERM=dumb \
  bash /mnt/life.sh /mnt/first.deb /mnt/next.deb </dev/null
echo "package.sh: $(stat -c %s "$out"/first.deb) bytes ($profile), $(find "$units" -type f | wc -l) units, all of its life passed"
