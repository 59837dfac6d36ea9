"""`benches/python`: what its figures are made of. It is run whole by `make bench-python`."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benches/python"))

from frames import frames
from measure import Plan, Row, Slices, measure
from subject import Subject, subjects
from subjects import floors, ours
from targets import Sheet, Target, targets
from way import Way

WAYS = (*floors.WAYS, *ours.WAYS)


def slices(*times: float) -> Slices:
    return Slices(processor=list(times), clock=[time + 1 for time in times])


def row(operation: Any, style: Any, way: Way, *times: float) -> Row:
    subject = Subject(operation, style, way, lambda _: None)
    return Row(processor=list(times), clock=list(times), subject=subject)


def test_figures_are_the_median_and_the_minimum() -> None:
    three = slices(30.0, 10.0, 20.0)
    assert (three.median, three.minimum, three.elapsed) == (20.0, 10.0, 21.0)


def test_a_target_is_met_on_its_own_side() -> None:
    at_most = [Target("", ratio, 9.0, at_most=2.0).met for ratio in (1.9, 2.0, 2.1)]
    at_least = [Target("", ratio, 9.0, at_least=2.0).met for ratio in (1.9, 2.0, 2.1)]
    assert (at_most, at_least) == ([True, True, False], [False, True, True])
    assert Target("", 1.0, 1.0).met is None


def test_ratios_are_taken_without_the_empty_loop() -> None:
    base = next(way for way in floors.WAYS if way.library == floors.PASS_THROUGH)
    breaker = next(way for way in ours.WAYS if way.kind == "breaker")
    rows = [row("success", "sync", base, 110.0, 100.0), row("success", "sync", breaker, 165.0, 190.0)]
    sheet = Sheet(slices(5.0, 5.0), rows)
    (found,) = targets(sheet, set())
    assert found.name == "success, sync: breaker (last 10 s, 10 in a row) / pass-through"
    assert found.median == pytest.approx(172.5 / 100.0)
    assert found.minimum == pytest.approx(160.0 / 95.0)
    assert found.met is False


def test_only_a_correct_peer_sets_a_bound_for_the_breaker() -> None:
    breaker = next(way for way in ours.WAYS if way.kind == "breaker")
    times = {"quick but wrong": 150.0, "correct": 290.0, "slow": 900.0}
    rows = [row("success", "sync", breaker, 100.0)]
    rows += [row("success", "sync", Way(name, "breaker", "", lambda fn: fn), times[name]) for name in times]
    found = list(targets(Sheet(slices(0.0), rows), {"correct", "slow"}))
    assert [(target.name, target.median, target.met) for target in found] == [
        ("success, sync: correct / breaker", 2.9, False)
    ]


def test_every_subject_has_a_slice_in_every_round() -> None:
    chosen = list(subjects(WAYS))
    assert {subject.operation for subject in chosen} == {
        "success",
        "success after a turn",
        "rejection",
        "failure and retry",
    }
    empty, rows = measure(chosen, Plan(rounds=2, slice_ns=1000, limit=60.0))
    assert [row.subject for row in rows] == chosen
    assert {len(each.processor) for each in (empty, *rows)} == {2}
    assert gc.get_freeze_count() == 0


def test_frames_are_those_between_the_caller_and_the_function() -> None:
    added = frames(WAYS)
    assert {added[way, style] for way in floors.WAYS[:1] for style in way.styles} == {0}
    assert {added[way, style] for way in ours.WAYS for style in way.styles} == {1}
