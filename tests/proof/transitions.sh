#!/usr/bin/env bash
# Each edge of the state table, and the tests that take it.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
log=$out/transitions.log
if ! cargo test --quiet --package overcurrent-tests --test transitions -- --nocapture >"$log" 2>&1; then
    cat "$log" >&2
    echo "transitions: failed, see $log"
    exit 1
fi
cat "$log" >&2
echo "transitions: $(passed "$log") tests, every edge is taken, and no other; the table is in $log"
