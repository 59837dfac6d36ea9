#!/usr/bin/env bash
# Histories of real threads, each checked against the sequential model. HISTORIES is how many.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
export HISTORIES=${HISTORIES:-100000}
logged histories cargo test --profile proof --package overcurrent-tests --test linearizability -- --nocapture
echo "histories: $HISTORIES histories of concurrent threads, each in the order of some sequential one"
