#!/bin/sh
# Writes each change to the system's log: a warning for a site that went dark. In config.toml:
#   on_change = ["/usr/local/share/iwas-wg/syslog.sh"]
# Needs logger(1) and jq(1). If one of them fails, the next heartbeat tries again.
set -eu
# Not in one pipe with what follows: a pipe forgets that its first program failed.
changes=$(jq -r '.changes[] | "\(if .to == "offline" then "warning" else "notice" end) \(.id) \(.name) \(.from) -> \(.to) at \(.at)"')
printf '%s\n' "$changes" |
    while read -r priority id text; do
        "${LOGGER:-logger}" --tag iwas-wg --priority "daemon.$priority" -- "$text (id $id)" </dev/null
    done
