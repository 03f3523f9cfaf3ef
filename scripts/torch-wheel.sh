#!/usr/bin/env bash
# Usage: scripts/torch-wheel.sh [--cuda] [VERSION]
# Puts the LibTorch out of PyPI's torch wheel (the current one, or VERSION) into
# ${CADRE_TORCH:-$HOME/.local/share/cadre/torch}: headers, libtorch_cpu, libc10, and
# the two small CUDA libraries that they name, without the gigabytes that only a GPU
# needs. Build with it by
#   cmake --preset release -DCMAKE_PREFIX_PATH=<that folder>
# With --cuda it has all that a GPU needs, in the wheels' own layout; then build with
#   cmake --preset release -DTorch_DIR=$PWD/cmake/torch_with_cuda -DCADRE_TORCH=<that folder>/torch
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CADRE_TORCH:-$HOME/.local/share/cadre/torch}"
cuda=""
if [[ "${1:-}" == --cuda ]]; then cuda=" with CUDA"; shift; fi
wanted="torch${1:+==$1}"
if [[ -f "$target/wheel" && "$(cat "$target/wheel")" == "$wanted$cuda" ]]; then
  echo "torch-wheel: $wanted is in $target"
  exit 0
fi
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
pip=("$scratch/venv/bin/pip" install -q --no-compile --target "$scratch/site")
if [[ -n "$cuda" ]]; then
  "${pip[@]}" "$wanted" "cuda-toolkit[crt,cccl]" # Of the version that the wheel wants.
else
  "${pip[@]}" --no-deps "$wanted"
fi

# Which CUDA runtime this wheel was built with stands in its metadata.
toolkit="$(sed -nE 's/^Requires-Dist: cuda-toolkit\[[^]]*\]==([0-9.]+).*/\1/p' \
  "$scratch"/site/torch-*.dist-info/METADATA | head -1)"
version="$(basename "$scratch"/site/torch-*.dist-info | sed -E 's/torch-(.*)\.dist-info/\1/')"

rm -rf "$target"
if [[ -n "$cuda" ]]; then
  if [[ -z "$toolkit" ]]; then echo "torch-wheel: torch $version names no CUDA toolkit" >&2; exit 1; fi
  mkdir -p "$target/torch"
  mv "$scratch"/site/torch/{include,lib} "$target/torch/"
  mv "$scratch/site/nvidia" "$target/"
  rm -f "$target"/torch/lib/libtorch_python.so
  echo "$wanted$cuda" >"$target/wheel"
  echo "torch-wheel: LibTorch $version$cuda $toolkit is in $target"
  exit 0
fi
if [[ -n "$toolkit" ]]; then "${pip[@]}" "cuda-toolkit[cudart,cupti]==$toolkit"; fi
mkdir -p "$target/lib" "$target/share/cmake/Torch"
# Not the other libraries' headers that the wheel brings (fmt, protobuf, ...): they would
# stand before those that the rest is built with.
mkdir "$target/headers"
mv "$scratch"/site/torch/include/{ATen,c10,caffe2,torch} "$target/headers/"
mv "$scratch"/site/torch/lib/{libtorch_cpu,libc10}.so "$scratch"/site/torch/lib/libgomp*.so* "$target/lib/"
find "$scratch/site/nvidia" \( -name 'libcudart.so*' -o -name 'libcupti.so*' \) -exec mv {} "$target/lib/" \;
cp cmake/TorchFromWheel.cmake "$target/share/cmake/Torch/TorchConfig.cmake"
echo "set(PACKAGE_VERSION $version)" >"$target/share/cmake/Torch/TorchConfigVersion.cmake"
echo "$wanted" >"$target/wheel"
echo "torch-wheel: LibTorch $version is in $target"
