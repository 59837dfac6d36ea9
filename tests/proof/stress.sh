#!/usr/bin/env bash
# 2 to 16 threads on one breaker and on one budget for STRESS_SECONDS seconds, then the books are compared.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
log=$out/stress.log
export STRESS_SECONDS=${STRESS_SECONDS:-180}
if ! cargo test --profile proof --package overcurrent-tests --test stress -- --nocapture >"$log" 2>&1; then
    cat "$log" >&2
    echo "stress: failed, see $log"
    exit 1
fi
echo "stress: $(passed "$log") tests with 2 to 16 threads in about $STRESS_SECONDS s, all books right"
