"""What failures are called in the spans of attempts: `error.type`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import grpc.aio
import httpx
import pytest
import requests
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from overcurrent import Guard
from overcurrent.opentelemetry import instrument

CASES = json.loads((Path(__file__).parent.parent / "error-types.json").read_text(encoding="utf-8"))

Called = Callable[..., list[Any]]
Meaning = Literal["success", "failure", "ignored"]


@pytest.fixture
def called() -> Iterator[Called]:
    """What attempts are called that raise these, and then those that return these."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def end(came: object) -> object:
        if isinstance(came, BaseException):
            raise came
        return came

    def names(*came: object, classify: Meaning = "failure") -> list[Any]:
        exporter.clear()
        guard = Guard("g", retry=False, breaker=False, classify=lambda result: classify)
        for one in came:
            with suppress(Exception):
                guard.call(end, one)
        spans = exporter.get_finished_spans()
        expected = StatusCode.ERROR if classify == "failure" else StatusCode.UNSET
        assert {span.status.status_code for span in spans} == {expected}
        return [(span.attributes or {}).get("error.type") for span in spans]

    with instrument(provider):
        yield names


def fields(case: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {name: case[name] for name in ("status", "code") if name in case}
    if "response" in case:
        said["response"] = SimpleNamespace(status_code=case["response"])
    return said


def test_failures_are_called_what_the_cases_say(called: Called) -> None:
    errors = [OSError("secret") for _ in CASES["errors"]]
    for error, case in zip(errors, CASES["errors"], strict=True):
        error.__dict__.update(fields(case))
    values = [SimpleNamespace(**fields(case)) for case in CASES["values"]]
    expected = [case["expect"] for case in (*CASES["errors"], *CASES["values"])]
    assert called(*errors, *values) == ["OSError" if name == "class" else name for name in expected]
    assert len(errors) > 10
    assert len(values) > 3


def test_errors_of_libraries_have_their_names(called: Called) -> None:
    request = httpx.Request("GET", "https://example.org")
    refused = httpx.HTTPStatusError("down", request=request, response=httpx.Response(503))
    response = requests.Response()
    response.status_code = 502
    nothing = grpc.aio.Metadata()
    unavailable = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing)
    errors = (refused, httpx.ConnectError("down"), requests.HTTPError(response=response), unavailable)
    assert called(*errors) == ["503", "httpx.ConnectError", "502", "UNAVAILABLE"]
    assert called(httpx.Response(503), response) == ["503", "502"]


class Odd(Exception):
    """Whoever reads from it, or calls it, fails."""

    @property
    def status(self) -> int:
        raise RuntimeError

    @property
    def code(self) -> str:
        raise RuntimeError


class Rpc(Exception):
    """An error of gRPC that does not know its code."""

    def code(self) -> str:
        raise RuntimeError


Rpc.__module__ = "grpc.odd"


def test_odd_ones_have_a_name_too(called: Called) -> None:
    huge = SimpleNamespace(status=1 << 100)
    assert called(Odd(), Rpc(), huge, None) == [f"{__name__}.Odd", "grpc.odd.Rpc", "_OTHER", "_OTHER"]


def test_what_is_ignored_has_a_name_where_it_is_an_error(called: Called) -> None:
    assert called(ValueError("mine"), httpx.Response(404), classify="ignored") == ["ValueError", None]


def test_what_is_a_success_has_none(called: Called) -> None:
    assert called(ValueError("mine"), httpx.Response(503), classify="success") == [None, None]
