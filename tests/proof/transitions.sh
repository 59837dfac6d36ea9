#!/usr/bin/env bash
# Each edge of the state table, and the tests that take it.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
logged transitions cargo test --quiet --profile proof --package overcurrent-tests --test transitions -- --nocapture
cat "$log" >&2
echo "transitions: every edge of the table is taken, and no other; the table is in $log"
