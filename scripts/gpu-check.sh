#!/usr/bin/env bash
# Usage: scripts/gpu-check.sh [--debs DIR] [--device cuda|cpu] [--build DIR] [--seconds S]
# Builds the algorithms alone against a LibTorch with CUDA, tests them on the device against
# the CPU's results, and prints updates/s (bench/device_bench.cc). Without a CUDA device it
# says so and exits 0; --device cpu does the same with tensor operations on the CPU.
#   LIBTORCH    folder with include/ and lib/ (default: that of python3's torch)
#   --debs DIR  Debian packages to take protobuf, Abseil, GoogleTest and nlohmann-json from,
#               where they are not installed; docs/gpu.md says which
# Needs cmake, ninja, g++ and the headers and library of CUDA's runtime; no gRPC, no network.
set -euo pipefail
cd "$(dirname "$0")/.."

debs="" device=cuda build=build-gpu seconds=1
while (($#)); do
  case "$1" in
    --debs) debs="$(realpath "$2")" ;;
    --device) device="$2" ;;
    --build) build="$2" ;;
    --seconds) seconds="$2" ;;
    *) sed -n '2,10s/^# //p' "$0" >&2; exit 2 ;;
  esac
  shift 2 || { echo "gpu-check: $1 wants a value" >&2; exit 2; }
done
# A container may have the device without nvidia-smi.
if [[ "$device" == cuda* && ! -e /dev/nvidia0 && -z "$(nvidia-smi -L 2>/dev/null || true)" ]]; then
  echo "gpu-check: skipped: no CUDA device"
  exit 0
fi
torch="${LIBTORCH:-$(python3 -c 'import torch; print(torch.__path__[0])')}" || {
  echo "gpu-check: no LibTorch; set LIBTORCH, or put a python3 that has torch on the PATH" >&2
  exit 1
}

mkdir -p "$build"
root="$(realpath "$build")/debs"
if [[ -n "$debs" ]]; then
  for package in "$debs"/*.deb; do dpkg -x "$package" "$root"; done
  # protoc's own libraries.
  export LD_LIBRARY_PATH="$root/usr/lib/$(uname -m)-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
# Abseil of 2022 does not say all that it includes, which newer compilers want said.
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCADRE_ALGORITHMS_ONLY=ON \
  -DCMAKE_PREFIX_PATH="$root/usr" -DCMAKE_CXX_FLAGS="-include cstdint" \
  -DTorch_DIR="$PWD/cmake/torch_with_cuda" -DCADRE_TORCH="$torch"
ninja -C "$build" learner_algorithms_device_device_parity_test device_bench
# Single precision is what both sides are compared in, whatever the image has set.
export TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=0 NVIDIA_TF32_OVERRIDE=0
failed=0
CADRE_TEST_DEVICE="$device" "$build/tests/learner_algorithms_device_device_parity_test" ||
  failed=$?
"$build/bin/device_bench" --device="$device" --seconds="$seconds" || failed=$?
exit "$failed"
