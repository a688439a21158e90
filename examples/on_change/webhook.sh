#!/bin/sh
# Posts what changed to a Slack-compatible webhook or to an ntfy topic. In config.toml:
#   on_change = ["/usr/local/share/iwas-wg/webhook.sh", "slack", "/etc/iwas-wg/webhook-url"]
#   on_change = ["/usr/local/share/iwas-wg/webhook.sh", "ntfy", "/etc/iwas-wg/webhook-url"]
# The address is in a file of mode 0600 because whoever knows it can post; curl reads it from
# there, so that no list of processes shows it. Needs curl(1) and jq(1).
set -eu
kind=$1
url=$(cat "$2")
# The first 30: a message has its limits, and so has an argument, when the whole fleet goes dark.
text=$(jq -r '(.changes[:30][] | "\(.at) \(.name): \(.from) → \(.to)"),
    (.changes | length - 30 | select(. > 0) | "and \(.) more")')
title="$IWAS_WG_WENT_OFFLINE dark, $IWAS_WG_WENT_ONLINE back"
post() { printf 'url = "%s"\n' "$url" | curl --fail --silent --show-error --max-time 20 --config - "$@"; }
case $kind in
slack) post --header 'Content-Type: application/json' --data "$(jq -n --arg text "*$title*
$text" '{text: $text}')" ;;
ntfy) post --header "Title: iwas-wg: $title" --header 'Tags: satellite' --data "$text" ;;
*)
    echo "webhook.sh: $kind is neither slack nor ntfy" >&2
    exit 2
    ;;
esac >/dev/null
