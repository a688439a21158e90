#!/bin/sh
# Mails what changed. In config.toml:
#   on_change = ["/usr/local/share/iwas-wg/mail.sh", "noc@example.com"]
# Needs sendmail(8) of any mail server and jq(1). If one of them fails, the next heartbeat tries again.
set -eu
to=$1
# Before the mail begins: a pipe forgets that its first program failed.
changes=$(jq -r '.changes[] | "\(.at)  \(.name)  \(.from) -> \(.to)\(if .org then "  (\(.org))" else "" end)"')
subject="$IWAS_WG_WENT_OFFLINE sites went dark, $IWAS_WG_WENT_ONLINE came back ($IWAS_WG_OFFLINE are offline)"
{
    printf 'To: %s\nSubject: iwas-wg: %s\nContent-Type: text/plain; charset=utf-8\n\n' "$to" "$subject"
    printf '%s\n' "$changes"
} | "${SENDMAIL:-/usr/sbin/sendmail}" -i -- "$to"
