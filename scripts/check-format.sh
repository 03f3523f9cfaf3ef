#!/usr/bin/env bash
# Usage: scripts/check-format.sh
# Fails, naming the files, where C++ is not as .clang-format wants it (`make format`).
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.cc' '*.h' '*.inc' | xargs clang-format --dry-run --Werror
echo "format: $(git ls-files '*.cc' '*.h' '*.inc' | wc -l) files are as .clang-format wants them"
