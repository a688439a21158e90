#!/usr/bin/env bash
# Runs one example of the manual as a user would: on a terminal, as root, on a hub that is up, with
# its files where they belong. All that is written goes into layers over the machine's directories,
# in the mount namespace that "ip netns exec" made; the interface is in its network namespace.
#
# $1 is the program, $2 the example, $3 the backend, $4 the name of a free interface.
#
# The hub has the locations that examples speak of, less those that the example itself adds; kiosk
# has no peer yet; anna manages the routers of acme; /var/backups/iwas-wg.db is a copy of the store and
# audit.end the end of its record. An example of init finds no hub. Whoever is asked says yes, and
# whoever would wait for a router or go on for ever gets a Control-C after three seconds.
# fleet.csv lists two more locations, and the editor changes nothing.
set -euo pipefail

program=$1 example=$2 backend=$3
export IWAS_WG_INTERFACE=$4 HOME=/root SHELL=/bin/bash PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

layers=$PWD/layers
mkdir "$layers"
mount -t tmpfs tmpfs "$layers"
cp "$program" "$layers"/iwas-wg
for dir in /etc /var/lib /var/backups /root /usr/local/bin; do
  mkdir -p "$layers/upper$dir" "$layers/work$dir"
  mount -t overlay overlay -o "lowerdir=$dir,upperdir=$layers/upper$dir,workdir=$layers/work$dir" "$dir"
done
cp "$layers"/iwas-wg /usr/local/bin/iwas-wg
# Last, since the checkout itself may lie below it.
mount -t tmpfs tmpfs /tmp
# Whatever the machine has of its own is not seen.
rm -rf /etc/iwas-wg /var/lib/iwas-wg /etc/wireguard
mkdir -p /root/.ssh /root/.config/fish/completions /tmp/here
cd /tmp/here
hub() { iwas-wg --quiet "$@" >/dev/null; }

# An example of init may leave no hub that could take its interface down.
trap 'iwas-wg --quiet down >/dev/null 2>&1 || ip link del "$IWAS_WG_INTERFACE" 2>/dev/null || true' EXIT
hub init --endpoint vpn.example.com --backend "$backend"
hub up
for name in cafe-central shop-12 tower-3 laptop builders; do
  [[ $example =~ "location add "(.* )?$name( |$) ]] || hub location add "$name" --org acme --tag city=vienna
done
[[ $example == *"location add kiosk"* ]] || hub location add kiosk --no-provision
hub backup /var/backups/iwas-wg.db
printf 'name,org\nshop-21,acme\nshop-22,acme\n' >fleet.csv
export EDITOR=true
rm -f /root/.ssh/id_ed25519*
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 </dev/null
useradd anna
printf '[[access.grants]]\nuser = "anna"\nrole = "org-admin"\norg = "acme"\n' >>/etc/iwas-wg/config.toml
iwas-wg audit verify | grep -o '[^ ]*$' >audit.end

case $example in
  *"iwas-wg init "*"--adopt"*) rm -r /etc/iwas-wg /var/lib/iwas-wg ;;
  *"iwas-wg init "*)
    hub down
    rm -r /etc/iwas-wg /var/lib/iwas-wg /etc/wireguard
    ;;
esac

# A hub that has moved to its address from the one that the example speaks of.
if [[ $example =~ "--release "([0-9.]+) ]]; then
  for address in "${BASH_REMATCH[1]}" 10.0.0.1; do
    hub config set hub.address "[\"$address/24\"]"
    hub sync --move-hub
  done
fi

# A line of a crontab is its command.
if [[ $example =~ ^\*/[0-9]+\ \*\ \*\ \*\ \*\ root\ (.*)$ ]]; then example=${BASH_REMATCH[1]}; fi
# A pipe that stays open: script(1) would linger after its end.
mkfifo /tmp/answers
exec 3<>/tmp/answers
printf 'y\n' >&3
interrupted=
if [[ $example == *" --wait"* || $example == *" watch"* ]]; then
  interrupted=yes
  { sleep 3; printf '\003'; } >&3 &
fi
# shellcheck disable=SC2016
EXAMPLE=$example timeout 60 script -qefc 'set -euo pipefail; eval "$EXAMPLE"' /dev/null <&3 ||
  [[ $interrupted && $? == 130 ]]
