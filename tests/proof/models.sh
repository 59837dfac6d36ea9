#!/usr/bin/env bash
# The models of the cells, every interleaving of them, by loom.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
log=$out/models.log
if ! make --no-print-directory models >"$log" 2>&1; then
    cat "$log" >&2
    echo "models: failed, see $log"
    exit 1
fi
echo "models: $(passed "$log") models of the cells, every interleaving up to the preemptions of each: every invariant held"
