#!/bin/sh
# Tells which sites went dark and which came back since the last time.
#
#     alert-offline.sh STATE-FILE [COMMAND [ARGUMENT...]]
#
# The news go to the command's standard input, or to standard output without one:
#
#     */5 * * * * root alert-offline.sh /var/lib/iwas-wg-alert mail -s "WireGuard sites" noc@example.com
#
# Whoever prefers to be called by the program itself sets heartbeat.on_change instead; this is for what
# asks from outside. Exit 0 whether there are news or not; else that of what failed, and then the
# news are told again the next time.
set -eu

[ $# -ge 1 ] || { echo "usage: $0 STATE-FILE [COMMAND [ARGUMENT...]]" >&2; exit 2; }
state=$1
shift
[ $# -gt 0 ] || set -- cat

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Into a file and not a pipe: the exit code of a pipe is its last command's. Its name, and where and
# when each dark site was seen last.
iwas-wg --json status --state offline >"$work/status"
jq -r '.locations[] | [.name, .vpn_ip, .last_handshake] | @tsv' "$work/status" | sort >"$work/dark"

# What is remembered is the names alone: a site that is still dark is no news.
cut -f 1 "$work/dark" >"$work/now"
touch "$state"
sort "$state" >"$work/before"
comm -13 "$work/before" "$work/now" >"$work/went"
comm -23 "$work/before" "$work/now" >"$work/came"

if [ -s "$work/went" ] || [ -s "$work/came" ]; then
    {
        while IFS='	' read -r name address seen; do
            if grep -Fqx "$name" "$work/went"; then echo "$name ($address) is dark since $seen"; fi
        done <"$work/dark"
        sed 's/$/ is no longer dark/' "$work/came"
    } >"$work/news"
    "$@" <"$work/news"
fi
# Only what was told is remembered.
cp "$work/now" "$state"
