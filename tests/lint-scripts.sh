#!/bin/sh
# Lints every kind of script with every combination of options with an independent parser of
# RouterOS (PyPI routeros-lsp), against the command list of each RouterOS version at hand.
#
# The command lists are those in $IWAS_SHARED/routeros/cmd-db (default ../shared); without them
# the linter's own bundled list is used, and the last line says so. Needs python3 with venv.
# Fails on any finding; prints what it checked, so that a run that checked nothing shows.
set -eu

cd "$(dirname "$0")/.."
version=0.2.3
target=${CARGO_TARGET_DIR:-target}
venv=$target/lint-venv
matrix=$target/script-matrix
databases=${IWAS_SHARED:-../shared}/routeros/cmd-db

if ! "$venv/bin/python" -c "import importlib.metadata as m; assert m.version('routeros-lsp') == '$version'" 2>/dev/null; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "routeros-lsp==$version"
fi

rm -rf "$matrix"
mkdir -p "$matrix"
IWAS_SCRIPT_MATRIX=$(cd "$matrix" && pwd) \
    cargo test --quiet --test it script::matrix:: >"$matrix.log" 2>&1 || { cat "$matrix.log"; exit 1; }
scripts=$(find "$matrix" -name '*.rsc' | wc -l)
[ "$scripts" -gt 0 ] || { echo "lint-scripts: no script was written"; exit 1; }

set -- "$databases"/routeros-*.json.gz
[ -e "$1" ] || set -- bundled

# An oracle that finds nothing anywhere would be worthless: it must find this.
if printf '/ip adress add foo=1\n' | "$venv/bin/routeros-lsp" check --strict - >/dev/null 2>&1; then
    echo "lint-scripts: the linter accepts an unknown menu"
    exit 1
fi

# From 7.23 on the command lists have ping in /tool only; routers still take it at the top.
moved=$target/script-matrix-tool-ping
rm -rf "$moved"
mkdir -p "$moved"
for script in "$matrix"/*.rsc tests/golden/script/*.rsc; do
    sed 's#\[/ping #[/tool ping #g' "$script" >"$moved/${script##*/}"
done

failed=0
checked=0
for schema in "$@"; do
    case $schema in
    *-7.2[3-9]*) scripts_of="$moved" ;;
    *) scripts_of="$matrix tests/golden/script" ;;
    esac
    # shellcheck disable=SC2086 # two folders
    if "$venv/bin/routeros-lsp" check --strict \
        --severity schema/unknown-command=error --severity schema/unknown-parameter=error \
        --schema "$schema" $scripts_of >"$matrix.log" 2>&1; then
        checked=$((checked + 1))
    else
        echo "lint-scripts: findings with $schema"
        head -n 20 "$matrix.log"
        failed=1
    fi
done
[ "$failed" -eq 0 ] || exit 1
if [ "$1" = bundled ]; then
    echo "lint-scripts: $scripts scripts clean with the bundled command list (no $databases)"
else
    echo "lint-scripts: $scripts scripts clean on $checked RouterOS versions"
fi
