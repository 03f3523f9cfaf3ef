#!/usr/bin/env bash
# Usage: scripts/torch-wheel.sh [VERSION]
# Puts the LibTorch out of PyPI's torch wheel (the current one, or VERSION) into
# ${CADRE_TORCH:-$HOME/.local/share/cadre/torch}: headers, libtorch_cpu, libc10, and
# the two small CUDA libraries that they name, without the gigabytes that only a GPU
# needs. Build with it by
#   cmake --preset release -DCMAKE_PREFIX_PATH=<that folder>
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CADRE_TORCH:-$HOME/.local/share/cadre/torch}"
wanted="torch${1:+==$1}"
if [[ -f "$target/wheel" && "$(cat "$target/wheel")" == "$wanted" ]]; then
  echo "torch-wheel: $wanted is in $target"
  exit 0
fi
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
pip=("$scratch/venv/bin/pip" install -q --no-compile --target "$scratch/site")
"${pip[@]}" --no-deps "$wanted"

# Which CUDA runtime this wheel was built with stands in its metadata.
runtime="$(sed -nE 's/^Requires-Dist: cuda-toolkit\[[^]]*\]==([0-9.]+).*/cuda-toolkit[cudart,cupti]==\1/p' \
  "$scratch"/site/torch-*.dist-info/METADATA | head -1)"
if [[ -n "$runtime" ]]; then "${pip[@]}" "$runtime"; fi

rm -rf "$target"
mkdir -p "$target/lib" "$target/share/cmake/Torch"
# Not the other libraries' headers that the wheel brings (fmt, protobuf, ...): they would
# stand before those that the rest is built with.
mkdir "$target/headers"
mv "$scratch"/site/torch/include/{ATen,c10,caffe2,torch} "$target/headers/"
mv "$scratch"/site/torch/lib/{libtorch_cpu,libc10}.so "$scratch"/site/torch/lib/libgomp*.so* "$target/lib/"
find "$scratch/site/nvidia" \( -name 'libcudart.so*' -o -name 'libcupti.so*' \) -exec mv {} "$target/lib/" \;
cp cmake/TorchFromWheel.cmake "$target/share/cmake/Torch/TorchConfig.cmake"
version="$(basename "$scratch"/site/torch-*.dist-info | sed -E 's/torch-(.*)\.dist-info/\1/')"
echo "set(PACKAGE_VERSION $version)" >"$target/share/cmake/Torch/TorchConfigVersion.cmake"
echo "$wanted" >"$target/wheel"
echo "torch-wheel: LibTorch $version is in $target"
