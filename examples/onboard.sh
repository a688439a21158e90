#!/bin/sh
# Onboards the sites of a CSV file and leaves each router's script in a directory.
#
#     onboard.sh SITES.csv DIR
#
# The file has a header and three columns: name,org,city. It can be run again after it was corrected
# or grew: sites that are there as asked for are passed over, the others' scripts are kept. A site
# that cannot be added does not stop the rest; all of them are told at the end, and the exit code is 1.
set -eu

[ $# -eq 2 ] || { echo "usage: $0 SITES.csv DIR" >&2; exit 2; }
sites=$1 dir=$2
# A script holds its router's private key: nobody else reads it, not even for a moment.
umask 077
mkdir -p "$dir"

failed=0 added=0 there=0
new=$dir/.new.$$
trap 'rm -f "$new"' EXIT
{
    # The first line says what the columns are; the last may lack its line feed.
    read -r _
    while IFS=, read -r name org city || [ -n "$name" ]; do
        # A spreadsheet ends lines with a carriage return too.
        city=$(printf %s "$city" | tr -d '\r')
        [ -n "$name" ] || continue
        # Into another file first: a script that is there already is worth more than an empty one.
        if iwas-wg --quiet location add "$name" ${org:+--org "$org"} ${city:+--tag "city=$city"} \
            --if-not-exists >"$new" </dev/null; then
            if [ -s "$new" ]; then
                mv "$new" "$dir/$name.rsc"
                added=$((added + 1))
            else
                there=$((there + 1))
            fi
        else
            # 4 is a conflict: there already, but different. The program has said why.
            echo "$name was not added (exit code $?)" >&2
            failed=$((failed + 1))
        fi
    done
} <"$sites"

echo "$added added, $there there already, $failed failed" >&2
[ "$failed" -eq 0 ]
