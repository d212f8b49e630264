"""Faults on demand, seen by a real client."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import with_controls

Serve = Callable[[ASGIApp], str]


class Shop:
    """A server that counts what it has done."""

    def __init__(self, serve_app: Serve) -> None:
        self.done: list[str] = []
        self.expired = 0

        async def work(request: Request) -> Response:
            self.done.append((await request.body()).decode())
            return JSONResponse({"said": "đã nhận" * 10})

        app = Starlette(routes=[Route("/{name}", work, methods=["POST"])])
        self.url = serve_app(with_controls(app, name="shop", expire_sessions=self._expire))

    def _expire(self) -> None:
        self.expired += 1

    def fault(self, **body: Any) -> requests.Response:
        return requests.post(f"{self.url}/_sandbox/faults", json=body, timeout=5)

    def buy(self, name: str = "buy", timeout: float = 5) -> requests.Response:
        return requests.post(f"{self.url}/{name}", data="bread", timeout=timeout)


@pytest.fixture(scope="module")
def _shop(serve_app: Serve) -> Shop:
    return Shop(serve_app)


@pytest.fixture
def shop(_shop: Shop) -> Iterator[Shop]:
    _shop.done.clear()
    yield _shop
    requests.delete(f"{_shop.url}/_sandbox/faults", timeout=5)


def test_without_a_fault_the_server_answers(shop: Shop) -> None:
    assert shop.buy().json()["said"].startswith("đã nhận")
    assert requests.get(f"{shop.url}/_sandbox/health", timeout=5).json()["name"] == "shop"


@pytest.mark.parametrize("mode", ["apply-then-drop", "apply-then-500", "cut"])
def test_the_work_is_done_though_the_answer_says_otherwise(shop: Shop, mode: str) -> None:
    shop.fault(mode=mode)
    try:
        assert shop.buy().status_code == 500
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        assert mode != "apply-then-500"
    assert shop.done == ["bread"]
    assert shop.buy().status_code == 200


def test_a_hanging_server_has_done_the_work(shop: Shop) -> None:
    shop.fault(mode="apply-then-hang", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        shop.buy(timeout=0.5)
    assert shop.done == ["bread"]


def test_a_hanging_server_gives_up_after_its_seconds(shop: Shop) -> None:
    shop.fault(mode="apply-then-hang", seconds=0.1)
    with pytest.raises(requests.ConnectionError):
        shop.buy()


@pytest.mark.parametrize("mode", ["drop-before", "drop"])
def test_a_dropped_connection_leaves_no_work_done(shop: Shop, mode: str) -> None:
    shop.fault(mode=mode)
    with pytest.raises(requests.ConnectionError):
        shop.buy()
    assert shop.done == []


@pytest.mark.parametrize(("mode", "status"), [("500", 500), ("503", 503), ("429", 429), ("html-200", 200)])
def test_a_refusal_leaves_no_work_done(shop: Shop, mode: str, status: int) -> None:
    shop.fault(mode=mode, seconds=7)
    answer = shop.buy()
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert (answer.headers.get("retry-after") == "7") == (mode != "html-200")
    assert shop.done == []


def test_a_slow_server_works_in_the_end(shop: Shop) -> None:
    shop.fault(mode="slow", seconds=0.3)
    begun = time.monotonic()
    assert shop.buy().status_code == 200
    assert time.monotonic() - begun >= 0.3


def test_a_fault_is_spent_after_its_times(shop: Shop) -> None:
    shop.fault(mode="500", times=2)
    assert [shop.buy().status_code for _ in range(3)] == [500, 500, 200]


def test_a_fault_for_one_operation_spares_the_others(shop: Shop) -> None:
    shop.fault(mode="500", operation="sell")
    assert shop.buy().status_code == 200
    assert shop.buy("sell").status_code == 500


def test_logging_in_is_spared_unless_it_is_meant(shop: Shop) -> None:
    shop.fault(mode="500")
    assert shop.buy("login").status_code == 200
    shop.fault(mode="503", operation="*")
    assert shop.buy("login").status_code == 503


def test_sessions_expire_at_once_and_not_per_request(shop: Shop) -> None:
    before = shop.expired
    assert shop.fault(mode="expire-sessions").json() == {"armed": []}
    assert shop.expired == before + 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"mode": "explode"}, "mode must be one of apply-then-hang"),
        ({}, "mode must be one of"),
        ({"mode": "500", "time": 3}, "unknown key 'time'"),
        ({"mode": "500", "times": "many"}, "many"),
    ],
)
def test_a_fault_nobody_knows_is_refused_with_a_reason(shop: Shop, body: dict[str, Any], words: str) -> None:
    answer = shop.fault(**body)
    assert answer.status_code == 422
    assert re.search(re.escape(words), answer.json()["error"])
