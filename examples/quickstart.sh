#!/usr/bin/env bash
# A hub and one simulated router, from nothing to "online", on one machine.
#
# Needs root on Debian or Ubuntu, and Rust. Everything happens in two network namespaces and one
# temporary directory of its own: the host's network, /etc and /var/lib stay untouched, and all of
# it is removed at the end, also after an error or Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

[ "$(id -u)" = 0 ] || { echo "quickstart: run this as root: it makes network namespaces" >&2; exit 1; }
command -v cargo >/dev/null || { echo "quickstart: cargo is missing; install Rust first (https://rustup.rs)" >&2; exit 1; }

# 1. What is missing.
missing=()
for entry in wg:wireguard-tools wireguard-go:wireguard-go ip:iproute2 ping:iputils-ping cc:gcc; do
  command -v "${entry%%:*}" >/dev/null 2>&1 || missing+=("${entry#*:}")
done
if ((${#missing[@]})); then
  say "Installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# 2. The program.
say "Building (the first time takes a minute or two)"
show cargo build
cargo build --quiet
program=$PWD/target/debug/iwas-wg

# 3. A place of its own. Names carry the process's number: two quickstarts do not meet.
id=$$
dir=$(mktemp -d)
hub=iwasq-hub-$id
router=iwasq-rtr-$id
# Sockets of userspace WireGuard are shared by all namespaces: each interface has its own name.
hub_if=iwqh$((id % 1000000))
router_if=iwqr$((id % 1000000))

cleanup() {
  trap - EXIT INT TERM
  for ns in "$hub" "$router"; do
    # A userspace WireGuard ends when its interface goes.
    ip -n "$ns" link delete "$hub_if" 2>/dev/null || true
    ip -n "$ns" link delete "$router_if" 2>/dev/null || true
    ip netns delete "$ns" 2>/dev/null || true
  done
  rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ip netns add "$hub"
ip netns add "$router"
ip -n "$hub" link add veth0 type veth peer name veth0 netns "$router"
ip -n "$hub" address add 192.0.2.1/24 dev veth0
ip -n "$router" address add 192.0.2.2/24 dev veth0
for ns in "$hub" "$router"; do
  ip -n "$ns" link set lo up
  ip -n "$ns" link set veth0 up
done

iwas_wg() {
  show "iwas-wg $*" >&2
  ip netns exec "$hub" "$program" --root "$dir" "$@"
}

# 4. The hub, and a location.
say "A hub that routers dial at 192.0.2.1"
iwas_wg init --endpoint 192.0.2.1 --interface "$hub_if"
iwas_wg up
say "A location, and the script for its router"
iwas_wg location add cafe-central --org acme --tag city=vienna >"$dir/cafe-central.rsc"

# 5. The router. A MikroTik would run the script with /import; this one is Linux, so the values
#    are read out of the very same script and set with wg(8) and ip(8).
value() { sed -n "s/^  :local $1 \"\\(.*\\)\"\$/\\1/p" "$dir/cafe-central.rsc"; }
keepalive=$(sed -n 's/.*persistent-keepalive=\([0-9]*\)s$/\1/p' "$dir/cafe-central.rsc" | head -n 1)
port=$(sed -n 's/^  :local iwPort \([0-9]*\)$/\1/p' "$dir/cafe-central.rsc")
say "The router takes key, address and endpoint from the script"
sed -n '1,2p' "$dir/cafe-central.rsc"
if ! ip -n "$router" link add "$router_if" type wireguard 2>/dev/null; then
  ip netns exec "$router" wireguard-go "$router_if" >/dev/null 2>&1
fi
(umask 077 && value iwKey >"$dir/router.key")
ip netns exec "$router" wg set "$router_if" listen-port 51820 private-key "$dir/router.key" \
  peer "$(value iwPub)" endpoint "$(value iwEp):$port" allowed-ips "$(value iwAllow)" \
  persistent-keepalive "$keepalive"
ip -n "$router" address add "$(value iwAddr)" dev "$router_if"
ip -n "$router" link set "$router_if" up

# 6. Wait for the real handshake.
say "Waiting for the handshake"
for _ in $(seq 1 100); do
  latest=$(ip netns exec "$hub" wg show "$hub_if" latest-handshakes | cut -f 2)
  [ "${latest:-0}" != 0 ] && break
  sleep 0.1
done
[ "${latest:-0}" != 0 ] || { echo "quickstart: no handshake within 10 seconds" >&2; exit 1; }
show "ping -c 1 10.0.0.2   # from the hub, through the tunnel"
ip netns exec "$hub" ping -q -c 1 -W 2 10.0.0.2

# 7. What an operator sees.
say "The heartbeat notes it, and the status shows it"
iwas_wg heartbeat
iwas_wg status
iwas_wg --json status | grep -q '"counts":{"online":1,' || { echo "quickstart: the site is not online" >&2; exit 1; }

say "cafe-central is online. Everything made here is being removed."
