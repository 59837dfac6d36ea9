#!/usr/bin/env bash
# The models of the cells, every interleaving of them, by loom.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
logged models make --no-print-directory models
echo "models: $(passed "$log") models of the cells, every interleaving up to the preemptions of each: all held"
