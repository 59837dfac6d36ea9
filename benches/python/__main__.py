"""Measures guarded calls beside other libraries', prints one table, and writes it as JSON, too.

    python benches/python [--quick] [--json FILE] [WORD …]

`--quick` only shows that everything runs. With words, only what has one of them in its title is measured,
beside the floors. The run measures; a target that is missed does not fail it.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from frames import frames
from measure import FULL, QUICK, measure
from report import Report
from subject import subjects
from subjects import floors, ours, peers
from targets import Sheet
from threads import conduct


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="benches/python", description="What guarded calls cost.")
    parser.add_argument("--quick", action="store_true", help="only show that everything runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write it for programs")
    parser.add_argument("words", nargs="*", metavar="WORD", help="what to measure, by words of its title")
    options = parser.parse_args()
    # Libraries log each retry, more or less; what they hand to their callers is measured, not that.
    logging.disable()
    ways = (*floors.WAYS, *ours.WAYS, *peers.WAYS)
    chosen = [
        subject
        for subject in subjects(ways)
        if subject.way.kind == "floor"
        or not options.words
        or any(word in subject.title for word in options.words)
    ]
    plan = QUICK if options.quick else FULL
    found = frames(ways), conduct(ways)
    report = Report(plan, Sheet(*measure(chosen, plan)), *found)
    print(report.text())
    if options.json is not None:
        options.json.write_text(
            json.dumps(report.json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        print(f"\nThe same as JSON: {options.json}")


if __name__ == "__main__":
    main()
