#!/usr/bin/env bash
# Usage: scripts/fetch-prometheus.sh
# Puts the distribution's prometheus and promtool into build/prometheus/, where they are not
# on the PATH: unpacked from its package, so that nothing is installed and no service starts.
# Prints the folder that has them. Exits 1, saying why, where they cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v prometheus promtool >/dev/null; then
  dirname "$(command -v prometheus)"
  exit 0
fi
folder="$PWD/build/prometheus"
if [[ ! -x "$folder/usr/bin/promtool" ]]; then
  if ! command -v apt-get >/dev/null; then
    echo "fetch-prometheus: there is neither prometheus on the PATH nor apt-get" >&2
    exit 1
  fi
  fetched="$(mktemp -d)"
  trap 'rm -rf "$fetched"' EXIT
  if ! (cd "$fetched" && apt-get -qq -o APT::Sandbox::User=root download prometheus >&2); then
    echo "fetch-prometheus: apt-get cannot download the package prometheus" >&2
    exit 1
  fi
  rm -rf "$folder"
  dpkg -x "$fetched"/prometheus_*.deb "$fetched/unpacked"
  mkdir -p build
  mv "$fetched/unpacked" "$folder"
fi
echo "$folder/usr/bin"
