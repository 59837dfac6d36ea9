"""What holds for every HTTP client that goes through guards. The servers say what arrived."""

from __future__ import annotations

from typing import Any

import pytest
from overcurrent import (
    AttemptTimeout,
    BreakerOpen,
    Failure,
    Guard,
    ManualClock,
    Registry,
    Verdict,
)
from overcurrent.testing import disabled, instant

from .clients import Aiohttp, Client
from .server import HANG, RESET, Answer, Server, answer, until

THRICE: Any = {"max_attempts": 3, "backoff": "none"}
ONE_FAILURE: Any = {"consecutive_failures": 1}
KEY = "idempotency-key"


def guards(**policy: Any) -> Registry:
    """Guards that try three times without waiting."""
    return Registry(**{"retry": THRICE, **policy})


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_that_can_be_cured_is_tried_again(client: Client, server: Server, status: int) -> None:
    client.open(guards())
    server.will(answer(status), answer(status))
    assert client.send("GET", server.url).status == 200
    assert server.methods() == ["GET"] * 3


@pytest.mark.parametrize("status", [304, 404, 501])
def test_any_other_answer_comes_back_at_once(client: Client, server: Server, status: int) -> None:
    client.open(guards())
    server.will(answer(status))
    assert client.send("GET", server.url).status == status
    assert server.methods() == ["GET"]


def test_a_connection_that_is_reset_is_tried_again(client: Client, server: Server) -> None:
    client.open(guards())
    server.will(RESET, RESET)
    assert client.send("GET", server.url).status == 200
    assert server.methods() == ["GET"] * 3


def test_the_last_response_comes_back_whole(client: Client, server: Server) -> None:
    client.open(guards())
    server.will(answer(503, b"first"), answer(500, b"second"), answer(502, b"third"))
    reply = client.send("GET", server.url)
    assert (reply.status, reply.body) == (502, b"third")
    assert len(server.seen) == 3


def test_the_last_error_comes_back_as_the_library_raised_it(client: Client, server: Server) -> None:
    client.open(guards(retry=False))
    server.will(RESET)
    with pytest.raises(client.connection_errors) as caught:
        client.send("POST", server.url)
    assert type(caught.value).__module__.split(".")[0] in {"httpx", "requests", "urllib3", "aiohttp"}
    assert any("gave up after 1 attempt" in note for note in caught.value.__notes__)
    assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("misbehaviour", [RESET, answer(503)])
def test_what_is_not_idempotent_is_sent_once(
    client: Client, server: Server, method: str, misbehaviour: Answer
) -> None:
    client.open(guards())
    server.will(misbehaviour)
    if misbehaviour.resets:
        with pytest.raises(client.connection_errors):
            client.send(method, server.url, body=b"order")
    else:
        assert client.send(method, server.url, body=b"order").status == 503
    assert server.methods() == [method]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_what_is_idempotent_is_sent_again(client: Client, server: Server, method: str) -> None:
    client.open(guards())
    server.will(RESET, answer(503))
    assert client.send(method, server.url, body=b"all of it" if method == "PUT" else None).status == 200
    assert server.methods() == [method] * 3
    if method == "PUT":
        assert [seen.body for seen in server.seen] == [b"all of it"] * 3


def test_a_key_of_the_callers_makes_it_repeatable_and_is_sent_each_time(
    client: Client, server: Server
) -> None:
    client.open(guards())
    server.will(answer(503), RESET)
    assert client.send("POST", server.url, headers={"Idempotency-Key": "mine"}, body=b"order").status == 200
    assert [(seen.headers[KEY], seen.body) for seen in server.seen] == [("mine", b"order")] * 3


def test_a_call_has_a_key_of_its_own_where_it_is_asked_for(client: Client, server: Server) -> None:
    client.open(guards(), idempotency_key=True)
    for _ in range(2):
        server.will(answer(503), RESET)
        assert client.send("POST", server.url, body=b"order").status == 200
    keys = [seen.headers[KEY] for seen in server.seen]
    assert len(keys) == 6
    assert len(set(keys[:3])) == len(set(keys[3:])) == 1, "the same on every attempt"
    assert keys[0] != keys[3], "another for each call"
    assert client.send("POST", server.url, headers={"Idempotency-Key": "mine"}).status == 200
    assert server.seen[-1].headers[KEY] == "mine"


def test_the_header_of_the_key_can_be_another(client: Client, server: Server) -> None:
    client.open(guards(), idempotency_key="X-Request-Id")
    server.will(answer(503))
    assert client.send("POST", server.url, body=b"order").status == 200
    assert len({seen.headers["x-request-id"] for seen in server.seen}) == 1
    assert all(KEY not in seen.headers for seen in server.seen)
    assert len(server.seen) == 2


def test_a_body_that_can_be_read_once_is_sent_once(client: Client, server: Server) -> None:
    client.open(guards())
    server.will(answer(503))
    assert client.stream("PUT", server.url, [b"one ", b"two"]).status == 503
    assert [seen.body for seen in server.seen] == [b"one two"]


def test_retry_after_is_waited_for(client: Client, server: Server, clock: ManualClock) -> None:
    jitter_free: Any = {"max_attempts": 3, "backoff": "none", "jitter": "none"}
    client.open(Registry(clock=clock, retry=jitter_free))
    server.will(answer(503, Retry_After="2"), answer(429, Retry_After="3"))
    assert client.send("GET", server.url).status == 200
    assert clock.now_ns == 5_000_000_000
    server.will(answer(503, Retry_After="61"))
    assert client.send("GET", server.url).status == 503, "a hint above the longest that is heeded"
    assert len(server.seen) == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_hangs_is_given_up_in_time(client: Client, server: Server, method: str) -> None:
    client.open(guards(attempt_timeout=0.15))
    server.will(HANG, HANG)
    if method == "GET":
        assert client.send("GET", server.url).status == 200
        assert server.methods() == ["GET"] * 3
    else:
        with pytest.raises((AttemptTimeout, *client.timeouts)):
            client.send("POST", server.url)
        assert server.methods() == ["POST"], "a timeout does not tell what the server did"
    until(lambda: server.connections <= 1)


def test_a_deadline_bounds_all_attempts(client: Client, server: Server) -> None:
    client.open(guards(attempt_timeout=0.2, deadline=0.3))
    server.will(HANG, HANG, HANG)
    with pytest.raises((TimeoutError, *client.timeouts)):
        client.send("GET", server.url)
    assert len(server.seen) == 2


def test_each_server_has_a_breaker_of_its_own(client: Client, server: Server, other: Server) -> None:
    registry = guards(retry=False, breaker=ONE_FAILURE)
    client.open(registry)
    server.will(answer(500))
    assert client.send("GET", server.url).status == 500
    with pytest.raises(BreakerOpen) as caught:
        client.send("GET", server.url)
    assert caught.value.breaker == f"127.0.0.1:{server.port}"
    assert client.send("GET", other.url).status == 200
    assert (len(server.seen), len(other.seen)) == (1, 1)
    assert sorted(registry) == sorted(f"127.0.0.1:{each.port}" for each in (server, other))


def test_one_guard_may_serve_for_all(client: Client, server: Server, other: Server) -> None:
    client.open(Guard("both", retry=False, breaker=ONE_FAILURE))
    server.will(answer(500))
    assert client.send("GET", server.url).status == 500
    with pytest.raises(BreakerOpen):
        client.send("GET", other.url)
    assert other.seen == []


def test_a_response_is_closed_before_the_wait(client: Client, server: Server) -> None:
    client.open(guards(attempt_timeout=2.0), connections=1)
    unread = Answer(503, body=(b"." * 100,), length=1_000_000)
    server.will(unread, unread)
    assert client.send("GET", server.url).status == 200, "there is but one connection"
    until(lambda: server.connections <= 1)


def test_hooks_of_the_guards_are_asked_first(client: Client, server: Server) -> None:
    def classify(result: Any) -> Verdict:
        status = getattr(result, "status_code", getattr(result, "status", None))
        return Failure(retryable=True) if status == 404 else None

    client.open(guards(classify=classify))
    server.will(answer(404), answer(503))
    assert client.send("GET", server.url).status == 200
    assert len(server.seen) == 3
    server.will(answer(404))
    assert client.send("POST", server.url).status == 404, "but what may not be repeated is not"
    assert len(server.seen) == 4


def test_an_error_that_is_not_of_the_dependency_counts_for_nothing(client: Client, server: Server) -> None:
    registry = guards(breaker=ONE_FAILURE)
    client.open(registry)
    with pytest.raises((ValueError, *client.own_errors)):
        client.send("GET", server.url, headers={"name": "no\nline"})
    assert client.send("GET", server.url).status == 200, "the breaker is closed"
    assert len(server.seen) == 1


def test_a_slow_body_is_read_by_whoever_asked_for_it(client: Client, server: Server) -> None:
    client.open(guards(attempt_timeout=0.15))
    server.will(Answer(body=(b"one ", b"two ", b"three"), gap=0.1))
    reply = client.send("GET", server.url)
    assert (reply.status, reply.body) == (200, b"one two three"), "which takes longer than an attempt"
    assert len(server.seen) == 1


def test_nobody_listening_is_a_failure(client: Client, server: Server) -> None:
    registry = guards(retry=False, breaker=ONE_FAILURE)
    client.open(registry)
    url = "http://127.0.0.1:1/"
    with pytest.raises(client.connect_errors):
        client.send("GET", url)
    with pytest.raises(BreakerOpen):
        client.send("GET", url)


def test_instant_and_disabled_hold_for_it(client: Client, server: Server) -> None:
    client.open(guards(), idempotency_key=True)
    with instant():
        server.will(answer(503, Retry_After="10"))
        assert client.send("POST", server.url).status == 200
    with disabled():
        server.will(answer(503))
        assert client.send("POST", server.url).status == 503
    assert len({seen.headers[KEY] for seen in server.seen}) == 2
    assert len(server.seen) == 3


def test_aiohttp_repeats_a_dropped_call_once_by_itself(server: Server) -> None:
    client = Aiohttp()
    try:
        client.open(guards())
        server.will(*[RESET] * 6)
        with pytest.raises(client.connection_errors):
            client.send("GET", server.url)
        assert len(server.seen) == 6
    finally:
        client.close()
