#!/usr/bin/env bash
# Mutants: each small change that .cargo/mutants.toml allows is made to a copy of the kernel and of the
# cells, one at a time, and the tests must fail. JOBS is how many at once; further arguments go to
# cargo-mutants, as `--file core/src/kernel/jitter.rs` or `--shard 0/4`.
set -euo pipefail
source "$(dirname "$0")/tools.sh"

need_tool cargo-mutants 27.1.0
# No debug information and some optimisation: quicker to link and to run. No seed of a test is kept.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=1 PROPTEST_CASES=${PROPTEST_CASES:-128}
unset CARGO_TARGET_DIR
rm -rf "$out/mutants.out"
status=0
cargo mutants --output "$out" --jobs "${JOBS:-2}" --colors never "$@" >&2 || status=$?
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
lines() { wc -l <"$list/$1.txt"; }
sum="$(lines caught) caught, $(lines timeout) hung the tests, $(lines unviable) do not compile"
missed=$(lines missed)
if [ "$missed" != 0 ]; then
    cat "$list/missed.txt"
    echo "mutants: $missed missed; $sum"
    exit 1
fi
echo "mutants: none missed; $sum"
