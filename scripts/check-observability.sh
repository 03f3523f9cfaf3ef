#!/usr/bin/env bash
# Usage: scripts/check-observability.sh
# The rules and alerts by promtool; then a real Prometheus beside real runs: every expression
# of every dashboard panel, rule and alert must return data, and docs/monitoring.md must list
# what the processes export. Binaries: $CADRE_BIN, default build/bin. Exits 77, saying
# SKIPPED, where there is no Prometheus.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! tools="$(scripts/fetch-prometheus.sh)"; then
  echo "check-observability: SKIPPED: there is no Prometheus"
  exit 77
fi
if ! python3 -c 'import yaml' 2>/dev/null; then
  echo "check-observability: SKIPPED: Python has no yaml (Debian's package python3-yaml)"
  exit 77
fi
export PATH="$tools:$PATH"

promtool check config deploy/prometheus/prometheus.yml
promtool test rules deploy/prometheus/tests/*_test.yml
for test in expressions dashboard alerts live; do
  echo "== tests/observability/${test}_test.py"
  python3 "tests/observability/${test}_test.py"
done
