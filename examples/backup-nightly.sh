#!/bin/sh
# Copies the store into a directory, looks whether the copy can be restored, and keeps the newest.
#
#     backup-nightly.sh DIR [KEEP]
#
# For cron, as root: "30 3 * * * root /usr/local/sbin/backup-nightly.sh /var/backups/iwas-wg 14". Silent
# unless something is wrong, so cron's mail is the alarm. The copy is taken while the hub works.
#
# RECIPIENT=age1... seals the copy for somebody whose key is not on this hub: then it may go to any
# storage, and this script cannot look into it. Without it, the keys in the copy are sealed as in the
# store; the identity that opens them (/etc/iwas-wg/identity.txt) must be kept elsewhere.
set -eu

[ $# -ge 1 ] || { echo "usage: $0 DIR [KEEP]" >&2; exit 2; }
dir=$1 keep=${2:-14}
umask 077
mkdir -p "$dir"

copy=$dir/iwas-wg-$(date +%Y-%m-%dT%H%M%S).db
if [ -n "${RECIPIENT-}" ]; then
    copy=$copy.age
    iwas-wg --quiet backup "$copy" --recipient "$RECIPIENT"
else
    iwas-wg --quiet backup "$copy"
    # A copy that cannot be restored is none. Nothing is changed by looking.
    iwas-wg --quiet restore "$copy" --dry-run
fi

# The names sort by time. Whoever is beyond the newest KEEP goes.
find "$dir" -maxdepth 1 -name 'iwas-wg-*.db' -o -maxdepth 1 -name 'iwas-wg-*.db.age' | sort -r |
    tail -n "+$((keep + 1))" | while read -r old; do rm -f "$old"; done
