#!/usr/bin/env bash
# Usage: tests/python/run.sh VENV TEST
# Runs a test in the virtual environment VENV. Exits 77 where that is missing.
set -euo pipefail
if (($# != 2)); then sed -n '2,3s/^# //p' "$0" >&2; exit 2; fi
if [[ ! -x "$1/bin/python" ]]; then echo "SKIPPED: there is no $1" >&2; exit 77; fi
export CADRE_PYTHON="$1/bin/python"
exec "$1/bin/python" "$2"
