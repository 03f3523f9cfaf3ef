#!/usr/bin/env bash
# Usage: scripts/install-deps.sh [--torch=debian|wheel] [--mujoco|--try-mujoco]
# Installs what Cadre builds with, on Debian 12 and Ubuntu 24.04. Runs as root or
# through sudo, and does nothing where everything is there already.
#   --torch=debian  LibTorch from the distribution (default; CPU)
#   --torch=wheel   the current LibTorch out of PyPI's torch wheel (scripts/torch-wheel.sh)
#   --mujoco        MuJoCo, and Gymnasium for its models, into the virtual environment .venv
#   --try-mujoco    the same, but goes on without where PyPI has an error
set -euo pipefail
cd "$(dirname "$0")/.."

torch=debian mujoco=no
for argument in "$@"; do
  case "$argument" in
    --torch=debian | --torch=wheel) torch="${argument#--torch=}" ;;
    --mujoco) mujoco=yes ;;
    --try-mujoco) mujoco=try ;;
    *) sed -n '2,8s/^# //p' "$0" >&2; exit 2 ;;
  esac
done

packages=(
  g++ make cmake ninja-build ccache mold clang-format python3 python3-venv python3-yaml pkg-config
  libtorch-dev libopenblas0-pthread libopenblas-pthread-dev libgloo-dev
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
  libabsl-dev prometheus-cpp-dev libcivetweb-dev libspdlog-dev nlohmann-json3-dev libssl-dev zlib1g-dev
  libcli11-dev libbox2d-dev openssl libgtest-dev libgmock-dev libbenchmark-dev
)

system="unknown"
if [[ -r /etc/os-release ]]; then
  system="$(. /etc/os-release && echo "${ID:-unknown}-${VERSION_ID:-}")"
fi
case "$system" in
  debian-12 | ubuntu-24.04) ;;
  *)
    echo "install-deps: this system is $system; wanted debian-12 or ubuntu-24.04." >&2
    echo "Install these (Debian's names) yourself, then run 'make build DEPS=skip':" >&2
    printf '  %s\n' "${packages[@]}" >&2
    exit 1 ;;
esac

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  sudo=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || { echo "install-deps: run as root, or install sudo; missing: ${missing[*]}" >&2; exit 1; }
    sudo=(sudo)
  fi
  "${sudo[@]}" apt-get -qq update
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q install --no-install-recommends "${missing[@]}"
fi
scripts/box2d-2.3.sh || echo "install-deps: no Box2D 2.3; the build takes the distribution's" >&2
if [[ "$torch" == wheel ]]; then scripts/torch-wheel.sh; fi

install_mujoco() {
  # The library and its headers are in mujoco-core; Gymnasium's models need no extras.
  wanted=("mujoco-core==4.0.0" "gymnasium==1.4.0")
  [[ -x .venv/bin/pip ]] || python3 -m venv .venv || return
  installed="$(.venv/bin/pip freeze --disable-pip-version-check)" || return
  for package in "${wanted[@]}"; do
    grep -qx "$package" <<<"$installed" && continue
    .venv/bin/pip install -q --disable-pip-version-check "$package" || return
  done
}
case "$mujoco" in
  yes) install_mujoco ;;
  try) (install_mujoco) || echo "install-deps: no MuJoCo; what needs it is skipped" >&2 ;;
esac
