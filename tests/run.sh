#!/usr/bin/env bash
# Installs what is missing on Debian or Ubuntu and passes every test of the project:
# format, lints, unit and in-process tests, golden sessions, real WireGuard in network namespaces
# and in a small virtual machine, the linter for rendered scripts, the documentation.
# Ends with "N passed, N failed"; anything that should have run and did not is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

started=$SECONDS
log=$(mktemp)
trap 'rm -f "$log"' EXIT

say() { printf '\n== %s (%d s)\n' "$*" "$((SECONDS - started))"; }

# What the tests use: a program and the Debian package that holds it.
needed=(
  wg:wireguard-tools
  wireguard-go:wireguard-go
  ip:iproute2
  ping:iputils-ping
  qemu-system-x86_64:qemu-system-x86
  busybox:busybox-static
  modprobe:kmod
  depmod:kmod
  cpio:cpio
  strace:strace
  cc:gcc
  python3:python3
)
missing=()
for entry in "${needed[@]}"; do
  command -v "${entry%%:*}" >/dev/null 2>&1 || missing+=("${entry#*:}")
done
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if ((${#missing[@]})); then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "tests/run.sh: missing: ${missing[*]}; install them, or run this as root on Debian or Ubuntu" >&2
    exit 1
  fi
  say "installing: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
command -v cargo >/dev/null || { echo "tests/run.sh: cargo is missing; install Rust first (https://rustup.rs)" >&2; exit 1; }

# From here on a test that cannot run fails instead of being skipped.
export IWAS_WG_REQUIRE_REAL=1

say "format"
cargo fmt --check
say "lints"
cargo clippy --quiet --all-targets -- -D warnings
say "tests"
status=0
cargo test --no-fail-fast 2>&1 | tee "$log" || status=$?
say "rendered scripts"
if [ -x tests/lint-scripts.sh ]; then tests/lint-scripts.sh || status=$?; fi
say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps || status=$?

say "done"
awk -v status="$status" '/^test result:/ { passed += $4; failed += $6 }
  END { if (status != 0 && failed == 0) failed = 1
        printf "%d passed, %d failed\n", passed, failed }' "$log"
exit "$status"
