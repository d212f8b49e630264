"""The read API of the status feed as a web application: mounted in Airflow's API server, or served alone.

``GET /hosync/feed/dossiers/{code}`` with the header ``X-Api-Key``. There is no sign-in of Airflow. The database is used
in threads of its own, so that a slow one never takes those that Airflow's pages need. What is declared here for OpenAPI
is what the mapping of the feed makes; ``docs/reference/feed.openapi.json`` is made from it.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Header, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from sync.feed import Answer, FeedDesk

if TYPE_CHECKING:
    from starlette.types import ASGIApp

PREFIX = "/hosync/feed"
"""Where the application stands, in Airflow's API server and alone."""

_THREADS = 8

T = TypeVar("T")


class StatusStep(BaseModel):
    """One step: at this time the dossier entered, or stayed in, this state."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    step: int
    """Its number, from 1."""
    at: AwareDatetime
    state: Annotated[int, Field(ge=1, le=10)]
    """National state."""
    state_vi: str
    state_en: str


class DossierStatus(BaseModel):
    """Where a dossier stands. Moments carry the Vietnamese offset; what is not known yet is left out."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    code: str
    """Dossier code, in its short form."""
    national_code: str | None = None
    """Its code on the national portal, where it has one."""
    version: int
    """Grows with every change."""
    state: Annotated[int, Field(ge=1, le=10)]
    """National state."""
    state_vi: str
    state_en: str
    is_final: bool
    """Nothing more is expected to happen."""
    state_at: AwareDatetime | None = None
    """Since when."""
    agency_code: str
    agency_name: str | None = None
    procedure_code: str
    procedure_name: str | None = None
    submitted_at: AwareDatetime | None = None
    received_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    """When the result is promised."""
    finished_at: AwareDatetime | None = None
    returned_at: AwareDatetime | None = None
    steps: list[StatusStep]


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    304: {"description": "What the caller holds (If-None-Match) still holds.", "model": None},
    401: {"description": "No key, or one that is not known.", "model": Problem},
    404: {"description": "No such dossier; the same for a code that cannot be one.", "model": Problem},
    429: {"description": "Too many calls in this minute; Retry-After says when.", "model": Problem},
    503: {"description": "Not able to answer now; Retry-After says when.", "model": Problem},
}


def create_feed_app(open_desk: Callable[[], FeedDesk] = FeedDesk.from_env) -> FastAPI:
    """The application, to be mounted at ``PREFIX``."""
    return _Counter(open_desk).app()


def create_server_app(open_desk: Callable[[], FeedDesk] = FeedDesk.from_env) -> ASGIApp:
    """The application for a server of its own: the API at ``PREFIX``, and ``/health`` for whoever watches it."""
    counter = _Counter(open_desk)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=counter.lifespan)
    app.mount(PREFIX, counter.app())
    app.add_route("/health", counter.health, methods=["GET"])
    return app


class _Counter:
    """Where requests come in."""

    def __init__(self, open_desk: Callable[[], FeedDesk]) -> None:
        self._open_desk = open_desk
        self._guard = threading.Lock()
        self._desk: FeedDesk | None = None
        self._limiter: CapacityLimiter | None = None

    def app(self) -> FastAPI:
        """Takes requests below the prefix."""
        app = FastAPI(
            title="hosync status feed",
            version="1",
            description="Where a dossier stands, for those who know its code. No personal data.",
            docs_url=None,
            redoc_url=None,
            servers=[{"url": PREFIX}],
            root_path_in_servers=False,
        )
        app.add_api_route(
            "/dossiers/{code}",
            self.dossier,
            methods=["GET"],
            response_model=DossierStatus,
            responses=_PROBLEMS,
            summary="Where one dossier stands",
            operation_id="getDossierStatus",
        )
        return app

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Close what was opened when the server ends."""
        yield
        if self._desk is not None:
            await self._in_thread(self._desk.close)

    async def health(self, _request: Request) -> Response:
        """200 when callers can be answered, else 503."""
        is_ready = await self._in_thread(lambda: self._opened().is_ready())
        return Response(b'{"status":"ok"}' if is_ready else b'{"status":"down"}', 200 if is_ready else 503)

    async def dossier(
        self,
        code: Annotated[str, Path(description="Dossier code in either written form, or its national code.")],
        x_api_key: Annotated[str | None, Header(description="The caller's key.")] = None,
        if_none_match: Annotated[str | None, Header(description="The ETag of the answer that is held.")] = None,
        system: Annotated[
            str | None, Query(description="Read `code` as the own id of this sector system.", max_length=31)
        ] = None,
    ) -> Response:
        """Where the dossier of this code stands, with its steps."""
        ask = partial(self._ask, x_api_key, code, system, if_none_match)
        answer = await self._in_thread(ask)
        return Response(answer.body, answer.status, headers=dict(answer.headers), media_type="application/json")

    def _ask(self, key: str | None, code: str, system: str | None, etag: str | None) -> Answer:
        return self._opened().dossier(key, code, system=system, etag=etag)

    def _opened(self) -> FeedDesk:
        with self._guard:
            if self._desk is None:
                self._desk = self._open_desk()
            return self._desk

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._limiter is None:
            self._limiter = CapacityLimiter(_THREADS)
        return await to_thread.run_sync(work, limiter=self._limiter)
