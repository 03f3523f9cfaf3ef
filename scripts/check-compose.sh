#!/usr/bin/env bash
# Usage: scripts/check-compose.sh [TEST...]
# Builds the images, prints their sizes, and runs docker-compose.yml for real: to a solved
# CartPole, with containers killed, stopped, and cut off (tests/e2e/compose_test.py, or only
# the tests named). Where base images cannot be pulled it makes them; as root it installs
# docker-compose and debootstrap. Without a Docker engine it says so and exits 0.
#   CADRE_BASE, CCACHE_REMOTE_STORAGE, JOBS    as in docker-compose.yml
set -euo pipefail
cd "$(dirname "$0")/.."

if ! docker version >/dev/null 2>&1; then
  echo "check-compose: skipped: no Docker engine answers"
  exit 0
fi

install_packages() { # PACKAGE...
  ((EUID == 0)) || { echo "check-compose: install $* first, or run as root" >&2; exit 1; }
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq install --no-install-recommends "$@" >/dev/null
}

megabytes() { # IMAGE, on top of the base.
  echo $((($(docker image inspect -f '{{.Size}}' "$1") - $(docker image inspect -f '{{.Size}}' "$CADRE_BASE")) / 1000000))
}

check_size() { # IMAGE LIMIT
  local size
  size="$(megabytes "$1")"
  echo "  size: $1 is $size MB on top of $CADRE_BASE, at most $2"
  ((size <= $2)) || { echo "check-compose: $1: got $size MB; wanted at most $2" >&2; exit 1; }
}

if ! command -v docker-compose >/dev/null && ! docker compose version >/dev/null 2>&1; then
  install_packages docker-compose
fi
if command -v docker-compose >/dev/null; then compose=(docker-compose); else compose=(docker compose); fi

export CADRE_BASE="${CADRE_BASE:-debian:bookworm-slim}" CADRE_VERSION="${CADRE_VERSION:-check}"
if ! docker image inspect "$CADRE_BASE" >/dev/null 2>&1 && ! docker pull -q "$CADRE_BASE" 2>/dev/null; then
  command -v debootstrap >/dev/null || install_packages debootstrap
  deploy/docker/base-image "$CADRE_BASE"
fi

began=$SECONDS
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
# One after the other: the second begins with the first one's layers.
for service in replay learner prometheus; do
  "${compose[@]}" -f docker-compose.yml -f deploy/docker/compose.check.yml build "$service" >"$log" 2>&1 ||
    { tail -50 "$log" >&2; exit 1; }
done
echo "check-compose: the images are built, in $((SECONDS - began)) s"
check_size "cadre-servers:$CADRE_VERSION" 80
check_size "cadre-worker:$CADRE_VERSION" 320

began=$SECONDS
tests/e2e/compose_test.py "${@/#/ComposeTest.}"
echo "check-compose: the runs took $((SECONDS - began)) s"
