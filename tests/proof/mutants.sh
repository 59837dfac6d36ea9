#!/usr/bin/env bash
# Mutants: each small change that .cargo/mutants.toml allows is made to a copy of the kernel and of the
# cells, one at a time, and the tests must fail: first those that are quick to build, and where these do not
# notice it, all that compare exactly. JOBS is how many at once; further arguments go to cargo-mutants, as
# `--file core/src/kernel/jitter.rs` or `--shard 0/4`.
set -euo pipefail
source "$(dirname "$0")/tools.sh"

need_tool cargo-mutants 27.1.0
# No debug information: quicker to link.
export CARGO_PROFILE_DEV_DEBUG=0 PROPTEST_CASES=${PROPTEST_CASES:-128}
unset CARGO_TARGET_DIR
rm -rf "$out/mutants.out"
status=0
# stage TEST...: what the tests before did not notice, with these.
stage() {
    local args=() each
    for each in --package=overcurrent-tests --lib "$@"; do args+=(--cargo-arg "$each"); done
    status=0
    cargo mutants --iterate --output "$out" --jobs "${JOBS:-2}" --colors never "${args[@]}" "${more[@]}" >&2 || status=$?
}
more=("$@")
stage
# It says 3 where some hung the tests, also if others were missed.
if [ -s "$out/mutants.out/missed.txt" ]; then
    stage --test=breaker_model --test=retry_model --test=laws --test=transitions --test=guard --test=snapshot --test=docs \
        --test=events --test=protocols --test=trace_context --test=metrics
fi
list=$out/mutants.out
# 0: all caught. 2: some missed. 3: some hung the tests, which is caught too. Anything else is a failure
# of the run itself.
case $status in
0 | 2 | 3) ;;
*)
    echo "mutants: the run failed, see $list"
    exit 1
    ;;
esac
lines() { cat "$list/$1.txt" 2>/dev/null | wc -l; }
# The second stage does not count again what the first one has caught.
sum="$(($(lines caught) + $(lines previously_caught))) caught, $(lines timeout) hung the tests"
missed=$(lines missed)
if [ "$missed" != 0 ]; then
    cat "$list/missed.txt"
    echo "mutants: $missed missed; $sum"
    exit 1
fi
echo "mutants: none missed; $sum"
