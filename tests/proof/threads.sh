#!/usr/bin/env bash
# The stress test under ThreadSanitizer, with a standard library that is instrumented too.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
target=x86_64-unknown-linux-gnu

need_nightly rust-src
log=$out/threads.log
if ! RUSTFLAGS="-Zsanitizer=thread" TSAN_OPTIONS="halt_on_error=1" CARGO_TARGET_DIR=$out/threads \
    cargo "+$nightly" test --quiet -Zbuild-std --target "$target" --package overcurrent-tests --test stress \
    >"$log" 2>&1; then
    cat "$log" >&2
    echo "thread sanitizer: failed, see $log"
    exit 1
fi
tests=$(grep -oE '^test result: ok\. [0-9]+ passed' "$log" | grep -oE '[0-9]+' || true)
if [ "${tests:-0}" = 0 ]; then
    echo "thread sanitizer: ran no test, see $log"
    exit 1
fi
echo "thread sanitizer: $tests stress tests, no data race"
