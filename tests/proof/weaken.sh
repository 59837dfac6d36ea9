#!/usr/bin/env bash
# Deliberate weakenings of the cells, each of which the models or the properties must notice. Further
# arguments are names of weakenings in weaken.toml.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
exec "${PYTHON:-python3}" tests/proof/weaken.py "$@"
