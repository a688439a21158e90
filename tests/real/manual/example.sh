#!/usr/bin/env bash
# Runs one example of the manual as a user would: on a terminal, as root, on a hub that is up, in the
# network namespace this was started in. $1 is the example, $2 the name of a free interface.
#
# The hub has the locations that examples speak of, less those that the example itself adds; kiosk
# has no peer yet; /var/backups/iwas-wg.db is a copy of its store. An example of init finds no hub.
set -euo pipefail

example=$1
export IWAS_WG_INTERFACE=$2
work=$PWD
export IWAS_WG_ROOT=$work/root HOME=$work/home SHELL=/bin/bash
for dir in /tmp /var/backups; do mount -t tmpfs tmpfs "$dir"; done
mkdir -p "$HOME"/.ssh "$HOME"/.config/fish/completions "$work"/here
cd "$work"/here
hub() { iwas-wg --quiet "$@" >/dev/null; }

trap 'iwas-wg --quiet down >/dev/null 2>&1 || true' EXIT
hub init --endpoint vpn.example.com --backend "$IWAS_WG_BACKEND"
hub up
for name in cafe-central shop-12 tower-3 laptop; do
  [[ $example =~ "location add "(.* )?$name( |$) ]] || hub location add "$name" --org acme --tag city=vienna
done
[[ $example == *"location add kiosk"* ]] || hub location add kiosk --no-provision
hub backup /var/backups/iwas-wg.db
ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_ed25519" </dev/null

case $example in
  *"iwas-wg init "*"--adopt"*) rm -r "${IWAS_WG_ROOT:?}"/etc/iwas-wg "${IWAS_WG_ROOT:?}"/var ;;
  *"iwas-wg init "*) hub down; rm -r "$IWAS_WG_ROOT" ;;
esac

# A line of a crontab is its command.
if [[ $example =~ ^\*/[0-9]+\ \*\ \*\ \*\ \*\ root\ (.*)$ ]]; then example=${BASH_REMATCH[1]}; fi
# Whoever is asked says yes. A pipe that stays open: script(1) would wait after its end.
mkfifo "$work"/answers
exec 3<>"$work"/answers
printf 'y\n' >&3
# shellcheck disable=SC2016
EXAMPLE=$example timeout 60 script -qefc 'set -euo pipefail; eval "$EXAMPLE"' /dev/null <&3
