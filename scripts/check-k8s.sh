#!/usr/bin/env bash
# Usage: scripts/check-k8s.sh [--fast] [BUILD]
# Checks deploy/k8s: renders every overlay with kubectl, validates all of it strictly against
# the two newest Kubernetes versions known, checks that it hangs together and that the binaries
# in BUILD/bin (default: build) know its flags, and holds it against checkov's policies.
#   --fast  without the policies, for which checkov's many packages are installed
# Packages come from PyPI, into .venv-k8s. Says so and exits 77 without kubectl 1.27 or later.
set -euo pipefail
cd "$(dirname "$0")/.."
policies=yes
if [[ "${1:-}" == --fast ]]; then policies=no; shift; fi
build="$(realpath "${1:-build}")"
venv="$PWD/.venv-k8s"
command -v kubectl >/dev/null || { echo "check-k8s: skipped: kubectl is not installed"; exit 77; }

packages=(kubernetes-validate PyYAML)
if [[ "$policies" == yes ]]; then packages+=(checkov); fi
for package in "${packages[@]}"; do
  [[ -x "$venv/bin/python" ]] || python3 -m venv "$venv"
  "$venv/bin/pip" show -q "$package" 2>/dev/null || "$venv/bin/pip" install -q "$package"
done

rendered="$(mktemp -d)"
trap 'rm -rf "$rendered"' EXIT
"$venv/bin/python" tests/deploy/k8s.py "$rendered"
"$venv/bin/python" tests/deploy/k8s_schemas.py "$rendered"
CADRE_BIN="$build/bin" "$venv/bin/python" tests/deploy/k8s_manifests_test.py
if [[ "$policies" == no ]]; then
  echo "check-k8s: good; checkov's policies were not asked"
  exit
fi
"$venv/bin/checkov" --config-file deploy/k8s/checkov.yaml --directory "$rendered"
echo "check-k8s: good"
