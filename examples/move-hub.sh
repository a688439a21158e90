#!/bin/sh
# Moves a hub to another machine without any router noticing more than a pause.
#
#     old machine:   move-hub.sh pack hub.tar
#                    scp hub.tar new:           # it holds the identity: keep it as secret as that
#     old machine:   iwas-wg down               # from here on the old hub is silent
#     new machine:   move-hub.sh unpack hub.tar
#     DNS:           let the name in hub.endpoint lead to the new machine
#
# The hub's key moves along, so no router needs a new script. RouterOS resolves the name of an endpoint
# when it is set and when the router starts, and not again by itself: a router whose watchdog is on
# (router.watchdog, by default wherever hub.endpoint is a name) finds the new machine some minutes after
# DNS leads there; each other one needs a restart, or its script once more from the inside. "iwas-wg
# script render NAME --kind check" says which address a router uses. Where hub.endpoint is an address,
# the address must move.
#
# It moves the store (a backup), the settings, the identity and the conf with your own lines in it;
# IWAS_WG_ROOT is honoured on both sides. What is on the new machine already is never overwritten.
set -eu

[ $# -eq 2 ] || { echo "usage: $0 pack|unpack FILE" >&2; exit 2; }
umask 077
root=${IWAS_WG_ROOT-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $1 in
pack)
    mkdir "$work/etc"
    # Not a copy of the file: the store may be in use, and a backup is whole all the same.
    iwas-wg --quiet backup "$work/store.db"
    cp -p "$root"/etc/iwas-wg/config.toml "$work/etc/"
    [ ! -e "$root"/etc/iwas-wg/identity.txt ] || cp -p "$root"/etc/iwas-wg/identity.txt "$work/etc/"
    interface=$(iwas-wg --json status | jq -r .hub.interface)
    cp -p "$root/etc/wireguard/$interface.conf" "$work/"
    tar -C "$work" -cf "$2" .
    echo "the hub is in $2; \"iwas-wg down\" here, then \"$0 unpack $2\" on the new machine" >&2
    ;;
unpack)
    if [ -e "$root"/etc/iwas-wg/config.toml ]; then
        echo "there is a hub on this machine already" >&2
        exit 4
    fi
    tar -C "$work" -xf "$2"
    mkdir -p "$root"/etc/iwas-wg "$root"/etc/wireguard
    chmod 755 "$root"/etc/iwas-wg
    cp -p "$work"/etc/* "$root"/etc/iwas-wg/
    cp -p "$work"/*.conf "$root"/etc/wireguard/
    iwas-wg --quiet restore "$work/store.db" --yes
    # The interface from the store: same key, same port, every peer. With the backend "none" there is
    # no interface, and the conf is all.
    [ "$(grep -c '^backend *= *"none"' "$root"/etc/iwas-wg/config.toml)" -gt 0 ] || iwas-wg --quiet up
    iwas-wg --quiet sync
    iwas-wg doctor || echo "see above; the hub works where nothing is called an error" >&2
    ;;
*)
    echo "usage: $0 pack|unpack FILE" >&2
    exit 2
    ;;
esac
