#!/usr/bin/env bash
# Each fuzz target for SECONDS_EACH seconds, from the committed corpus. What it learns stays in
# target/proof/fuzz, what it finds in target/proof/fuzz/TARGET/found.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
seconds=${SECONDS_EACH:-150}
targets=(policy_toml policy_json operations retry)

need_nightly rust-src
need_tool cargo-fuzz 0.13.2
export CARGO_TARGET_DIR=$out/fuzz/build
runs=0
found=0
for target in "${targets[@]}"; do
    mkdir -p "$out/fuzz/$target/corpus" "$out/fuzz/$target/found"
    log=$out/fuzz/$target/log
    say "fuzzing $target for $seconds s"
    if ! cargo "+$nightly" fuzz run --fuzz-dir tests/fuzz "$target" \
        "$out/fuzz/$target/corpus" "tests/fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$out/fuzz/$target/found/" >"$log" 2>&1; then
        found=$((found + 1))
        tail -n 40 "$log" >&2
        say "$target found something, see $log and $out/fuzz/$target/found"
    fi
    ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    runs=$((runs + ${ran:-0}))
done
if [ "$found" != 0 ]; then
    echo "fuzzing: $found of ${#targets[@]} targets found something"
    exit 1
fi
if [ "$runs" = 0 ]; then
    echo "fuzzing: nothing was run, see $out/fuzz"
    exit 1
fi
echo "fuzzing: ${#targets[@]} targets, $seconds s each, $runs inputs, nothing found"
