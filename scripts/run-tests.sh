#!/usr/bin/env bash
# Runs the integration tests of e2e/ and bench/ whose names begin with $1, a file at a time, one test after another: they share
# the kernel. Goes on after a failure and fails at the end.
set -uo pipefail
cd "$(dirname "$0")/.."
prefix=$1
targets=()
for file in {e2e/*,bench}/tests/"$prefix"*.rs; do [ -e "$file" ] || continue; targets+=(--test "$(basename "$file" .rs)"); done
export RUST_BACKTRACE=0
exec cargo test --release --quiet --no-fail-fast "${targets[@]}" -- --test-threads=1
