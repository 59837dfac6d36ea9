"""What the tests of the adapters share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .clients import CLIENTS, Client
from .server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server().running() as server:
        yield server


@pytest.fixture
def other() -> Iterator[Server]:
    """Another server."""
    with Server().running() as server:
        yield server


@pytest.fixture(params=CLIENTS, ids=lambda client: client.__name__)
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    made: Client = request.param()
    yield made
    made.close()
