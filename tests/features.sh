#!/usr/bin/env bash
# Each feature of the core compiles alone, without a warning, and so does the core with none and with all.
set -euo pipefail
cd "$(dirname "$0")/.."

features=$(sed -n '/^\[features\]/,/^\[dep/s/^\([a-z-]*\) = .*/\1/p' core/Cargo.toml)
[ -n "$features" ] || { echo "core/Cargo.toml names no features" >&2; exit 1; }

check() {
    cargo clippy --quiet --package overcurrent "$@" -- --deny warnings || { echo "with: $*" >&2; exit 1; }
}
check --no-default-features
for feature in $features; do
    [ "$feature" = default ] || check --no-default-features --features "$feature"
done
check --all-features
