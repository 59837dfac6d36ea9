#!/usr/bin/env bash
# The models that share no code with the core, and the laws, over CASES random cases each.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
export PROPTEST_CASES=${CASES:-20000}
logged properties cargo test --quiet --profile proof --package overcurrent-tests \
    --test breaker_model --test retry_model --test laws --test snapshot
echo "properties: $(passed "$log") properties over $PROPTEST_CASES random cases each: all held"
