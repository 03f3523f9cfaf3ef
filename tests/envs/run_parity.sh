#!/usr/bin/env bash
# Usage: tests/envs/run_parity.sh VENV SCRIPT TOOL
# Holds the environments of TOOL against Gymnasium by tests/envs/SCRIPT, in the Python virtual
# environment VENV, which is made where it is missing. Exits 77 where PyPI cannot be reached.
set -euo pipefail
if (($# != 2)); then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
here="$(cd "$(dirname "$0")" && pwd)"
"$here/gymnasium_venv.sh" "$1"
exec "$1/bin/python" "$here/gymnasium_parity.py" "$2"
