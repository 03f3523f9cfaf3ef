#!/usr/bin/env bash
# Usage: tests/envs/plugin/rust_example.sh CADRE FOLDER: builds the plugin in Rust in FOLDER and
# lets CADRE check it. Exits with 77 where there is no cargo.
set -euo pipefail
command -v cargo >/dev/null || { echo "skipped: there is no cargo"; exit 77; }
source="$(dirname "$0")/../../../docs/examples/plugin_rust"
cargo build --quiet --release --offline --manifest-path "$source/Cargo.toml" --target-dir "$2"
"$1" envs check "$2/release/libsignal.so"
