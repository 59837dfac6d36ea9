#!/usr/bin/env bash
# 2 to 16 threads on one breaker and on one budget for STRESS_SECONDS seconds, then the books are compared.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
export STRESS_SECONDS=${STRESS_SECONDS:-180}
logged stress cargo test --profile proof --package overcurrent-tests --test stress -- --nocapture
echo "stress: $(passed "$log") tests with 2 to 16 threads in about $STRESS_SECONDS s, all books right"
