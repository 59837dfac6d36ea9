"""What HTTP and gRPC say, by the cases that every language runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from overcurrent import Failure
from overcurrent._core import HttpRequest, grpc_verdict, http_authority, http_retry_after_header

TESTS = Path(__file__).parents[2]


def read(name: str) -> dict[str, list[dict[str, Any]]]:
    cases: dict[str, list[dict[str, Any]]] = json.loads((TESTS / name).read_text(encoding="utf-8"))
    return cases


def request(case: dict[str, Any]) -> HttpRequest:
    key, body = case.pop("key", False), case.pop("replayable", True)
    return HttpRequest(case.pop("method"), has_idempotency_key=key, has_replayable_body=body)


def verdict(expect: Any) -> Any:
    return Failure(**expect["failure"]) if isinstance(expect, dict) else expect


def test_http_means_what_the_cases_say() -> None:
    cases = read("http.json")
    for case in cases.pop("repeatable"):
        expect = case.pop("expect")
        assert request(dict(case)).repeatable is expect, case
    for case in cases.pop("answers"):
        name, expect, status = case.pop("name"), case.pop("expect"), case.pop("status")
        header, now = case.pop("retry_after", None), case.pop("now", 0)
        answered = request(case).answered(status, header, now=now)
        assert (answered, case) == (verdict(expect), {}), name
    for case in cases.pop("errors"):
        name, expect = case.pop("name"), case.pop("expect")
        assert (request(case).failed(), case) == (verdict(expect), {}), name
    get = HttpRequest("GET", has_idempotency_key=False, has_replayable_body=True)
    for case in cases.pop("retry_after"):
        answered = get.answered(503, case["header"], now=case.get("now", 0))
        assert answered == Failure(hint=case["expect"]), case
    for case in cases.pop("retry_after_header"):
        assert http_retry_after_header(case["wait"]) == str(case["expect"])
    for case in cases.pop("authority"):
        expect = case.pop("expect")
        assert http_authority(**case) == expect
    assert cases == {}


def test_grpc_means_what_the_cases_say() -> None:
    cases = read("grpc.json")
    for case in cases.pop("statuses"):
        means = grpc_verdict(case["number"], case.get("pushback"), case.get("repeatable", True))
        assert means == verdict(case["expect"]), case
    assert cases == {}


def test_a_date_is_compared_to_the_wall_clock() -> None:
    get = HttpRequest("GET", has_idempotency_key=False, has_replayable_body=True)
    past = get.answered(503, "Sun, 06 Nov 1994 08:49:37 GMT")
    future = get.answered(503, "Fri, 31 Dec 9999 23:59:59 GMT")
    assert past == Failure(hint=0)
    assert isinstance(future, Failure)
    assert future.hint is not None
    assert future.hint > 1e9
