#!/usr/bin/env bash
# Usage: tests/envs/run_parity.sh VENV SCRIPT [ARGUMENTS]
# Runs SCRIPT, which holds environments against those of PyPI's packages, in the Python virtual
# environment VENV, which is made where it is missing. Exits 77 where PyPI cannot be reached.
set -euo pipefail
if (($# < 2)); then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
venv="$1"
shift
"$(dirname "$0")/gymnasium_venv.sh" "$venv"
exec "$venv/bin/python" "$@"
