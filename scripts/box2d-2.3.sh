#!/usr/bin/env bash
# Usage: scripts/box2d-2.3.sh [FOLDER]
# Puts the sources of Box2D 2.3 out of PyPI's box2d package into FOLDER
# (${CADRE_BOX2D:-$HOME/.local/share/cadre/box2d-2.3}). Built with
#   cmake --preset release -DCADRE_BOX2D=<that folder>
# LunarLander and BipedalWalker are equal to Gymnasium's to the bit.
set -euo pipefail

target="${1:-${CADRE_BOX2D:-$HOME/.local/share/cadre/box2d-2.3}}"
version=2.3.2  # The newest with sources; its C++ is that of the wheel of 2.3.10.
if [[ -f "$target/Box2D/Box2D.h" ]]; then echo "box2d: $target is there"; exit 0; fi
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
pip=("$scratch/venv/bin/pip" --retries 1 --timeout 10 --disable-pip-version-check -q)
"${pip[@]}" install setuptools wheel
"${pip[@]}" download --no-deps --no-build-isolation --no-binary :all: -d "$scratch" \
  "box2d==$version"
tar -xzf "$scratch"/[Bb]ox2[Dd]-"$version".tar.gz -C "$scratch"
# As a whole or not at all.
made="$target.$$"
trap 'rm -rf "$scratch" "$made"' EXIT
mkdir -p "$made/Box2D"
source="$(echo "$scratch"/[Bb]ox2[Dd]-"$version"/Box2D)"
cp -r "$source"/{Box2D.h,Collision,Common,Dynamics} "$made/Box2D/"
cp "$source/Box2D-License.txt" "$made/" # zlib
# Failed assertions raise Python's exceptions there; here they are plain assert().
sed -i '/^#define USE_EXCEPTIONS/d' "$made/Box2D/Common/b2Settings.h"
mv -T "$made" "$target"
echo "box2d: sources of $version in $target"
