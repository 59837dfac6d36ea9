#!/usr/bin/env bash
# Runs every part of the proof, or those that are named, goes on where one fails, and says at the end what
# each found.
set -euo pipefail
source "$(dirname "$0")/tools.sh"
parts=(models properties transitions histories stress miri threads fuzz weaken mutants)
if [ "$#" != 0 ]; then parts=("$@"); fi

summary=$out/summary.txt
: >"$summary"
failed=0
for part in "${parts[@]}"; do
    began=$SECONDS
    status=0
    said=$("tests/proof/$part.sh" | tee >(cat >&2) | tail -n 1) || status=$?
    if [ "$status" != 0 ]; then failed=1; fi
    echo "$(if [ "$status" = 0 ]; then echo ok; else echo FAILED; fi)  ${said:-$part said nothing}  ($((SECONDS - began)) s)" >>"$summary"
done
echo
cat "$summary"
exit "$failed"
