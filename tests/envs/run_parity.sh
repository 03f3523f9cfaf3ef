#!/usr/bin/env bash
# Usage: tests/envs/run_parity.sh VENV SCRIPT TOOL
# Holds the environments of TOOL against Gymnasium by tests/envs/SCRIPT, in the Python virtual
# environment VENV, which is made where it is missing. Exits 77 where PyPI cannot be reached.
set -euo pipefail
if (($# != 3)); then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
venv="$1" script="$2" tool="$3"
here="$(cd "$(dirname "$0")" && pwd)"

# One at a time: tests run in parallel, and the environment is shared.
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9

if ! "$venv/bin/python" -c 'import gymnasium.envs.mujoco, numpy' 2>/dev/null; then
  rm -rf "$venv"
  if ! python3 -m venv "$venv" >"$venv.log" 2>&1; then
    echo "parity: 'python3 -m venv' failed; wanted Debian's python3-venv:" >&2
    cat "$venv.log" >&2
    exit 1
  fi
  if ! "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 2 --timeout 20 \
      'gymnasium[mujoco]==1.4.0' 'mujoco==4.0.0' 'numpy>=2' >"$venv.log" 2>&1; then
    cat "$venv.log" >&2
    offline='connection broken|ConnectionError|ProxyError|SSLError|[Tt]imed? ?out'
    if grep -qE "$offline" "$venv.log"; then
      echo "SKIPPED: PyPI cannot be reached, so there is nothing to compare with" >&2
      exit 77
    fi
    exit 1
  fi
fi
flock -u 9
exec "$venv/bin/python" "$here/$script" "$tool"
