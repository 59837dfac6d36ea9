#!/usr/bin/env bash
# Histories of real threads, each checked against the sequential model. HISTORIES is how many.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
log=$out/histories.log
export HISTORIES=${HISTORIES:-100000}
if ! cargo test --profile proof --package overcurrent-tests --test linearizability -- --nocapture >"$log" 2>&1; then
    cat "$log" >&2
    echo "linearizability: failed, see $log"
    exit 1
fi
echo "linearizability: $HISTORIES histories of concurrent threads, each in the order of some sequential one"
