#!/usr/bin/env bash
# The unit tests of the cells in Miri: undefined behaviour, data races, weak memory as far as Miri has it,
# under many schedules. SEEDS is how many.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
seeds=${SEEDS:-8}

need_nightly miri rust-src
log=$out/miri.log
# Isolation is off because the number of processors is asked for. The tests are those of the cells.
if ! MIRIFLAGS="-Zmiri-many-seeds=0..$seeds -Zmiri-disable-isolation" CARGO_TARGET_DIR=$out/miri \
    cargo "+$nightly" miri test --quiet --package overcurrent --lib cells:: >"$log" 2>&1; then
    cat "$log" >&2
    echo "miri: failed, see $log"
    exit 1
fi
tests=$(grep -oE '^running [0-9]+ test' "$log" | head -n 1 | grep -oE '[0-9]+' || true)
if [ "${tests:-0}" = 0 ]; then
    echo "miri: ran no test, see $log"
    exit 1
fi
echo "miri: $tests unit tests of the cells under $seeds schedules each, nothing undefined and no race"
