#!/bin/sh
# Writes each change to the system's log: a warning for a site that went dark. In config.toml:
#   on_change = ["/usr/local/share/iwas-wg/syslog.sh"]
# Needs logger(1) and jq(1).
set -eu
jq -r '.changes[] | "\(if .to == "offline" then "warning" else "notice" end) \(.id) \(.name) \(.from) -> \(.to) at \(.at)"' |
    while read -r priority id text; do
        "${LOGGER:-logger}" --tag iwas-wg --priority "daemon.$priority" -- "$text (id $id)"
    done
