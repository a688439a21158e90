#!/usr/bin/env bash
# Installs what is missing on Debian or Ubuntu and passes every test of the project:
# format, lints, unit and in-process tests, golden sessions, real WireGuard in network namespaces
# and in a small virtual machine, the linter for rendered scripts, the life of the Debian package, the
# documentation.
#
# Every step runs, whatever the one before did. The last line is "N passed, N failed"; anything that
# should have run and did not is a failure, and so is the exit code.
#
# The sweeps of kills disturb a command at each system call that changes something outside the process.
# With --full they do so at every system call.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1:-}" in
  "") ;;
  --full) export IWAS_WG_FULL=1 ;;
  *)
    echo "usage: tests/run.sh [--full]" >&2
    exit 2
    ;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
die() {
  echo "tests/run.sh: $*" >&2
  exit 1
}

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
  xz:xz-utils
  zstd:zstd
  strace:strace
  cc:gcc
  python3:python3
  zsh:zsh
  fish:fish
  mandoc:mandoc
  jq:jq
  script:bsdutils
  tmux:tmux
  chromium:chromium
  shellcheck:shellcheck
  lintian:lintian
  systemd-analyze:systemd
  dbus-daemon:dbus
  man:man-db
  pgrep:procps
  ansible-playbook:ansible
  sudo:sudo
  useradd:passwd
  setpriv:util-linux
  age:age
  ssh:openssh-client
  curl:curl
  dpkg-shlibdeps:dpkg-dev
)
missing=()
for entry in "${needed[@]}"; do
  command -v "${entry%%:*}" >/dev/null || missing+=("${entry#*:}")
done
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
# The playbooks use a collection that ansible-core alone does not have.
ansible-galaxy collection list ansible.netcommon 2>/dev/null | grep -q '^ansible.netcommon ' || missing+=(ansible)
if ((${#missing[@]})); then
  if [[ $EUID != 0 ]] || ! command -v apt-get >/dev/null; then
    die "missing: ${missing[*]}; install them, or run this as root on Debian or Ubuntu"
  fi
  echo "== installing: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# rustup's place, which a root shell may not have in PATH.
PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
command -v cargo >/dev/null || die "cargo is missing; install Rust first (https://rustup.rs)"
for component in rustfmt clippy; do
  cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
  command -v rustup >/dev/null || die "$component is missing; install that part of Rust"
  echo "== installing: $component"
  rustup component add "$component"
done

# From here on a test that cannot run fails instead of being skipped.
export IWAS_WG_REQUIRE_REAL=1

times=()
broken=0
# Runs one step, and goes on if it fails: one run tells everything.
step() {
  local name=$1 began=$SECONDS outcome=ok
  shift
  printf '\n== %s\n' "$name"
  if ! "$@"; then
    outcome=FAILED
    broken=$((broken + 1))
  fi
  times+=("$(printf '%-18s %-6s %4d s' "$name" "$outcome" "$((SECONDS - began))")")
}
tests() { cargo test --no-fail-fast 2>&1 | tee "$log"; }
# Whether everything that is measured still works; how fast it is depends on the machine.
benchmark() { cargo bench --quiet -- --backend userspace --runs 1; }
documentation() { RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps; }

step "format" cargo fmt --check
step "lints" cargo clippy --quiet --all-targets -- -D warnings
step "build" cargo build --quiet --all-targets
step "tests" tests
if [[ -x tests/lint-scripts.sh ]]; then step "rendered scripts" tests/lint-scripts.sh; fi
step "package" tests/package.sh
step "benchmark" benchmark
step "documentation" documentation

printf '\n== time\n'
printf '%s\n' "${times[@]}" "$(printf '%-18s %-6s %4d s' total '' "$SECONDS")"
printf '\n== summary\n'
# Cargo's own lines. A step that failed without a failed test of its own counts as one.
awk -v broken="$broken" '
  /^ +(Running|Doc-tests) / { sub(/ \(.*/, ""); sub(/^ +/, ""); of = $0 }
  /^test result:/ { passed += $4; failed += $6; print of ": " $0 }
  END {
    if (failed > 0 && broken > 0) broken--
    printf "%d passed, %d failed\n", passed, failed + broken
  }' "$log"
((broken == 0))
