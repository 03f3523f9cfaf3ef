#!/usr/bin/env bash
# Usage: tests/envs/gymnasium_venv.sh VENV
# Makes the Python virtual environment VENV with Gymnasium and all that environments are compared
# with, where it is missing. Exits 77 where PyPI cannot be reached.
set -euo pipefail
if (($# != 1)); then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
venv="$1"

# One at a time: tests run in parallel, and the environment is shared.
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9
packages='import Box2D, gymnasium.envs.mujoco, minatar, numpy, pygame'
if "$venv/bin/python" -c "$packages" 2>/dev/null; then exit 0; fi
rm -rf "$venv"
if ! python3 -m venv "$venv" >"$venv.log" 2>&1; then
  echo "'python3 -m venv' failed; wanted Debian's python3-venv:" >&2
  cat "$venv.log" >&2
  exit 1
fi
# MinAtar's own dependencies, all but NumPy, are for drawing.
install=("$venv/bin/pip" install --quiet --disable-pip-version-check --retries 2 --timeout 20)
if ! { "${install[@]}" 'gymnasium[mujoco]==1.4.0' 'mujoco==4.0.0' 'numpy>=2' 'box2d==2.3.10' \
         pygame && "${install[@]}" --no-deps 'MinAtar==1.0.15'; } >"$venv.log" 2>&1; then
  cat "$venv.log" >&2
  offline='connection broken|ConnectionError|ProxyError|SSLError|[Tt]imed? ?out'
  if grep -qE "$offline" "$venv.log"; then
    echo "SKIPPED: PyPI cannot be reached, so there is no Gymnasium" >&2
    rm -rf "$venv"
    exit 77
  fi
  exit 1
fi
