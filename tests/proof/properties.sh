#!/usr/bin/env bash
# The models that share no code with the core, and the laws, over CASES random cases each.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
cases=${CASES:-20000}
log=$out/properties.log
if ! PROPTEST_CASES=$cases cargo test --quiet --profile proof --package overcurrent-tests --test breaker_model \
    --test retry_model --test laws --test snapshot >"$log" 2>&1; then
    cat "$log" >&2
    echo "properties: failed, see $log"
    exit 1
fi
echo "properties: $(passed "$log") properties over $cases random cases each: all held"
