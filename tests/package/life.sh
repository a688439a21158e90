#!/usr/bin/env bash
# The life of the package on a machine with systemd: installed, used, upgraded, removed, installed
# again, purged. $1 is the package, $2 the same with a higher version. Runs inside the machine that
# tests/package/boot.sh boots.
set -euo pipefail

package=$1 next=$2
cd /
say() { echo "-- $*"; }
die() {
  echo "life.sh: $*" >&2
  journalctl --no-pager --quiet -n 20 >&2
  exit 1
}
# Says what was expected if it does not hold.
holds() {
  local what=$1
  shift
  "$@" >/tmp/said 2>&1 </dev/null || die "$what: $*: $(cat /tmp/said)"
}
fails() { ! "$@"; }
is() { [[ $1 == "$2" ]] || die "$3: \"$1\", not \"$2\""; }
install() { DEBIAN_FRONTEND=noninteractive dpkg -i "$1" >/tmp/dpkg.log 2>&1 </dev/null || die "$(cat /tmp/dpkg.log)"; }
condition() { systemctl show -P ConditionResult "$1"; }

ip link set lo up
systemctl start timers.target

say "install"
install "$package"
mapfile -t files < <(dpkg -L iwas-wg | while read -r f; do [[ -f $f ]] && echo "$f"; done)
is "$(iwas-wg --version)" "iwas-wg $(dpkg-query -W -f '${Version}' iwas-wg | cut -d- -f1)" "the version"
for page in iwas-wg.8 iwas-wg-location-add.8 iwas-wg.toml.5; do
  holds "the manual has $page" man -w "${page##*.}" "${page%.*}"
done
holds "bash finds the loader" bash -n /usr/share/bash-completion/completions/iwas-wg
# shellcheck disable=SC2016
holds "zsh finds the loader" zsh -f -c 'autoload -Uz compinit && compinit -u -D && [[ $_comps[iwas-wg] == _iwas-wg ]]'
holds "fish finds the loader" fish -c 'complete -C "iwas-wg loc" | string match -q "location*"'
is "$(systemctl is-enabled iwas-wg-heartbeat.timer)" enabled "the heartbeat's timer"
is "$(systemctl is-active iwas-wg-heartbeat.timer)" active "the heartbeat's timer"
is "$(systemctl is-enabled iwas-wg-backup.timer || true)" disabled "the backup's timer"
holds "systemd accepts the units" systemd-analyze verify iwas-wg-hub@wg0.service iwas-wg-heartbeat.timer iwas-wg-backup.timer
systemctl start iwas-wg-heartbeat.service iwas-wg-hub@wg0.service
is "$(condition iwas-wg-heartbeat.service) $(condition iwas-wg-hub@wg0.service)" "no no" "conditions without a hub"

say "use"
mkdir -m 700 /etc/wireguard
echo "# somebody else's tunnel" >/etc/wireguard/other.conf
iwas-wg --quiet init --endpoint vpn.example.com
systemctl enable --quiet --now iwas-wg-hub@wg0.service
is "$(condition iwas-wg-hub@wg0.service) $(systemctl is-active iwas-wg-hub@wg0.service)" "yes active" "the hub's unit"
systemctl start iwas-wg-hub@wg1.service
is "$(condition iwas-wg-hub@wg1.service)" no "the condition of a unit for another interface"
iwas-wg --quiet location add cafe-central --org acme >/tmp/cafe-central.rsc
key=$(iwas-wg --json location show cafe-central | jq -r .location.vpn_public_key)
peers() { wg show wg0 peers; }
is "$(peers)" "$key" "the peers of the interface"
holds "the heartbeat" systemctl start iwas-wg-heartbeat.service
is "$(systemctl show -P Result iwas-wg-heartbeat.service)" success "the heartbeat"
is "$(iwas-wg --json status | jq -r '.heartbeat_at != null')" true "a heartbeat in the store"
# A router in a network of its own comes and goes, and each kind of on_change is told from inside the
# heartbeat's walls: what goes over the network, into the system's log, and to a mail server, whose
# sendmail must write into its spool.
programs=/usr/local/share/iwas-wg
mkdir -p "$programs"
cp /usr/share/doc/iwas-wg/examples/on_change/*.sh "$programs"
ip netns add router
ip link add uplink type veth peer name uplink netns router
ip address add 192.0.2.1/24 dev uplink
ip -n router address add 192.0.2.2/24 dev uplink
ip link set uplink up
ip -n router link set uplink up
ip netns exec router wireguard-go rtr0 >/dev/null 2>&1 </dev/null
iwas-wg script render cafe-central --format wg-quick |
  (umask 077 && sed 's/vpn.example.com/192.0.2.1/' >/tmp/rtr0.conf)
ip netns exec router wg setconf rtr0 <(wg-quick strip /tmp/rtr0.conf)
ip -n router address add "$(iwas-wg --json location show cafe-central | jq -r .location.vpn_ip)"/24 dev rtr0
ip -n router link set rtr0 up
holds "the router reaches the hub" ip netns exec router ping -c 1 -W 10 10.0.0.1
cat >/tmp/webhook.py <<'END'
import http.server, sys
class Taker(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        sys.stdout.write(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", 8080), Taker).handle_request()
END
python3 /tmp/webhook.py >/tmp/told &
taker=$!
for _ in {1..100}; do [[ -z $(ss -Htln 'sport = 8080') ]] || break; sleep 0.1; done
(umask 077 && echo http://127.0.0.1:8080/ >/etc/iwas-wg/webhook-url)
cp /etc/iwas-wg/config.toml /tmp/config.toml
# With these settings for offline_after and on_change.
heartbeat_with() {
  sed -e "s/^offline_after = .*/offline_after = $1/" -e '/^\[heartbeat\]$/r /dev/stdin' \
    /tmp/config.toml >/etc/iwas-wg/config.toml <<<"$2"
  holds "the heartbeat" systemctl start iwas-wg-heartbeat.service
}
heartbeat_with 180 "on_change = [\"$programs/webhook.sh\", \"slack\", \"/etc/iwas-wg/webhook-url\"]"
wait "$taker"
holds "the webhook has the news: $(cat /tmp/told)" jq -e '.text | contains("cafe-central: never → online")' /tmp/told
# With one second, a router that went dark is offline at the next look.
sleep 2
heartbeat_with 1 "on_change = [\"$programs/syslog.sh\"]"
logged() { journalctl --quiet --output cat --identifier iwas-wg | grep -q 'cafe-central online -> offline'; }
for _ in {1..50}; do ! logged || break; sleep 0.1; done
holds "the log has the news" logged
# Outside of the walls, as README.Debian has it.
mkdir /var/spool/iwas-wg-test
cat >/usr/sbin/sendmail <<'END'
#!/bin/sh
exec cat >/var/spool/iwas-wg-test/mail
END
chmod 755 /usr/sbin/sendmail
heartbeat_with 180 "$(sed -n '/^ *on_change = \[/,/\]$/s/^    //p' /usr/share/doc/iwas-wg/README.Debian)"
holds "the mail has the news" grep -q 'cafe-central  offline -> online  (acme)' /var/spool/iwas-wg-test/mail
holds "its subject counts" grep -qF 'Subject: iwas-wg: 0 sites went dark, 1 came back (0 are offline)' /var/spool/iwas-wg-test/mail
holds "nothing waits to be told" fails grep -q again <(journalctl --quiet --output cat --unit iwas-wg-heartbeat)
# What differs, sync mends from inside its walls: interface and conf.
wg set wg0 peer "$key" remove
sed -i '/^\[Peer\]$/,$d' /etc/wireguard/wg0.conf
systemctl reload iwas-wg-hub@wg0.service
is "$(peers)" "$key" "the peers after a reload"
holds "the conf has the peer again" grep -qF "$key" /etc/wireguard/wg0.conf
systemctl start iwas-wg-backup.service
copy=$(echo /var/backups/iwas-wg/*.db)
is "$(stat -c %a "$copy")" 600 "the mode of the backup"
holds "the backup is one" iwas-wg restore "$copy" --dry-run
# A reboot in small: what the unit brings up is the whole hub.
systemctl stop iwas-wg-hub@wg0.service
holds "the interface is gone" fails ip link show wg0
systemctl start iwas-wg-hub@wg0.service
is "$(peers)" "$key" "the peers after a restart"
for unit in iwas-wg-hub@wg0 iwas-wg-heartbeat iwas-wg-backup; do
  systemd-analyze security --no-pager "$unit.service" 2>/dev/null | sed -n 's/.*Overall exposure level for //p'
done

say "upgrade"
echo "IWAS_WG_OFFLINE_AFTER=200" >>/etc/iwas-wg/environment
systemctl disable --quiet --now iwas-wg-heartbeat.timer
index=$(cat /sys/class/net/wg0/ifindex)
install "$next"
is "$(dpkg-query -W -f '${Version}' iwas-wg)" "$(dpkg-deb -f "$next" Version)" "the version"
is "$(cat /sys/class/net/wg0/ifindex) $(peers)" "$index $key" "interface and peers, untouched"
is "$(tail -n 1 /etc/iwas-wg/environment)" "IWAS_WG_OFFLINE_AFTER=200" "the administrator's line"
is "$(systemctl is-enabled iwas-wg-heartbeat.timer || true)" disabled "a timer that was turned off"
systemctl enable --quiet --now iwas-wg-heartbeat.timer
holds "the heartbeat" systemctl start iwas-wg-heartbeat.service
is "$(systemctl show -P Result iwas-wg-heartbeat.service)" success "the heartbeat after the upgrade"

say "remove"
dpkg -r iwas-wg >/dev/null 2>&1 </dev/null
holds "the program is gone" fails test -e /usr/bin/iwas-wg
is "$(systemctl is-active iwas-wg-heartbeat.timer || true)" inactive "the timer after the removal"
is "$(peers)" "$key" "the peers after the removal"
for kept in /var/lib/iwas-wg/iwas-wg.db /etc/iwas-wg/config.toml /etc/iwas-wg/identity.txt /etc/wireguard/wg0.conf; do
  holds "the removal keeps it" test -s "$kept"
done
install "$next"
is "$(iwas-wg location list -o name)" cafe-central "the locations after the package came back"
is "$(systemctl is-active iwas-wg-heartbeat.timer)" active "the timer after the package came back"

say "purge"
iwas-wg --quiet down
before=$(sha256sum /etc/wireguard/*.conf)
# Nobody answers: standard input is closed.
dpkg -P iwas-wg >/dev/null 2>&1 </dev/null
for gone in /var/lib/iwas-wg /etc/iwas-wg "${files[@]}"; do holds "purge leaves nothing" fails test -e "$gone"; done
is "$(sha256sum /etc/wireguard/*.conf)" "$before" "the files of wg-quick"
holds "the backups are kept" test -s "$copy"
is "$(find /etc/systemd /var/lib/systemd/deb-systemd-helper-* -name 'iwas-wg*')" "" "what systemd still knows of the package"
is "$(dpkg-query -W -f '${Status}' iwas-wg 2>/dev/null || echo unknown)" unknown "dpkg's memory of the package"
