#!/usr/bin/env bash
# A hub and one simulated router, from nothing to "online", on one machine.
#
# Needs root on Debian or Ubuntu, and Rust. Everything happens in two network namespaces and one
# temporary directory of its own: the host's network, /etc and /var/lib stay untouched, and all of
# it is removed at the end, also after an error or Ctrl-C.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '$ %s\n' "$*"; }
die() {
  echo "quickstart: $*" >&2
  exit 1
}

# 1. What is missing.
[[ $EUID == 0 ]] || die "run this as root: it makes network namespaces"
# rustup's place, which a root shell may not have in PATH.
PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
command -v cargo >/dev/null || die "cargo is missing; install Rust first (https://rustup.rs)"
missing=()
for entry in wg:wireguard-tools wireguard-go:wireguard-go ip:iproute2 ping:iputils-ping cc:gcc; do
  command -v "${entry%%:*}" >/dev/null || missing+=("${entry#*:}")
done
if ((${#missing[@]})); then
  command -v apt-get >/dev/null || die "missing: ${missing[*]}; without apt-get, install them yourself"
  say "Installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# 2. The program.
say "Building (the first time takes a minute or two)"
show cargo build
cargo build --quiet
program=${CARGO_TARGET_DIR:-target}/debug/iwas-wg
program=$(realpath "$program")

# 3. A place of its own. Names carry the process's number: two quickstarts do not meet.
umask 077
dir=$(mktemp -d)
hub=iwasq-hub-$$
router=iwasq-rtr-$$
# Control sockets of userspace WireGuard are shared by all namespaces: each interface has its own name.
hub_if=iwqh$$
router_if=iwqr$$

cleanup() {
  trap - EXIT
  # A second Ctrl-C must not leave half of it behind.
  trap '' INT TERM HUP
  for ns in "$hub:$hub_if" "$router:$router_if"; do
    # A userspace WireGuard ends when its interface goes.
    ip -n "${ns%:*}" link delete "${ns#*:}" 2>/dev/null || true
    ip netns delete "${ns%:*}" 2>/dev/null || true
  done
  # It removes its socket a moment later; then nothing is left.
  for _ in {1..50}; do
    [[ -e /var/run/wireguard/$hub_if.sock || -e /var/run/wireguard/$router_if.sock ]] || break
    sleep 0.1
  done
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

ip netns add "$hub"
ip netns add "$router"
ip -n "$hub" link add veth0 type veth peer name veth0 netns "$router"
ip -n "$hub" address add 192.0.2.1/24 dev veth0
ip -n "$router" address add 192.0.2.2/24 dev veth0
for ns in "$hub" "$router"; do
  ip -n "$ns" link set lo up
  ip -n "$ns" link set veth0 up
done

# Shows a command without the parts that only this demonstration needs, and runs it.
iwas_wg() {
  show "iwas-wg $*" >&2
  ip netns exec "$hub" "$program" --root "$dir" "$@"
}

# 4. The hub, and a location.
say "A hub that routers dial at 192.0.2.1"
iwas_wg init --endpoint 192.0.2.1 --interface "$hub_if"
iwas_wg up
say "A location, and the script for its router"
script=$dir/cafe-central.rsc
iwas_wg location add cafe-central --org acme --tag city=vienna >"$script"

# 5. The router. A MikroTik would run the script with /import; this one is Linux, so the values
#    are read out of the very same script and set with wg(8) and ip(8).
value() { sed -n "s/^ *:local $1 \"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$script" | head -n 1; }
keepalive=$(sed -n 's/.*persistent-keepalive=\([0-9]*\)s$/\1/p' "$script" | head -n 1)
say "The router takes key, address and endpoint from that script ($(wc -l <"$script") lines)"
for name in iwKey iwPub iwEp iwPort iwAllow iwAddr; do
  [[ -n $(value $name) ]] || die "the script has no $name"
done
if ! ip -n "$router" link add "$router_if" type wireguard 2>/dev/null; then
  ip netns exec "$router" wireguard-go "$router_if" >/dev/null 2>&1
fi
value iwKey >"$dir/router.key"
show "wg set wireguard-iwas peer $(value iwPub) endpoint $(value iwEp):$(value iwPort) …"
ip netns exec "$router" wg set "$router_if" private-key "$dir/router.key" \
  peer "$(value iwPub)" endpoint "$(value iwEp):$(value iwPort)" allowed-ips "$(value iwAllow)" \
  persistent-keepalive "$keepalive"
show "ip address add $(value iwAddr) dev wireguard-iwas"
ip -n "$router" address add "$(value iwAddr)" dev "$router_if"
ip -n "$router" link set "$router_if" up

# 6. Wait for the real handshake.
say "Waiting for the handshake"
handshake() { ip netns exec "$hub" wg show "$hub_if" latest-handshakes | grep -q '[[:space:]][1-9][0-9]*$'; }
for _ in {1..100}; do
  if handshake; then break; fi
  sleep 0.1
done
handshake || die "no handshake within 10 seconds"
address=$(value iwAddr)
show "ping ${address%/*}   # from the hub, through the tunnel"
ip netns exec "$hub" ping -q -c 1 -W 2 "${address%/*}" | sed -n '/packets/p'

# 7. What an operator sees.
say "The heartbeat notes it, and the status shows it"
iwas_wg heartbeat
iwas_wg status
online=$(ip netns exec "$hub" "$program" --root "$dir" --json status)
[[ $online == *'"counts":{"online":1,'* ]] || die "the site is not online"

say "cafe-central is online. Everything made here is being removed."
