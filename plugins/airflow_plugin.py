"""The plugin Airflow loads, in every one of its processes: it costs nothing until the page is asked for."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/hosync"


class LazyApp:
    """An ASGI application that is built by its first request, in the API server only."""

    def __init__(self, build: Callable[[], ASGIApp]) -> None:
        """``build`` imports what it needs by itself."""
        self._build = build
        self._app: ASGIApp | None = None
        self._guard = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await self._built()(scope, receive, send)

    def _built(self) -> ASGIApp:
        with self._guard:
            if self._app is None:
                self._app = self._build()
            return self._app


def _monitor() -> ASGIApp:
    from plugins.web import create_app

    return create_app()


def _inbound() -> ASGIApp:
    from sync.inbound_app import create_inbound_app

    return create_inbound_app()


def _feed() -> ASGIApp:
    from sync.feed_app import create_feed_app

    return create_feed_app()


class HosyncPlugin(AirflowPlugin):
    """The sync monitor: an entry in the navigation that shows ``/hosync/`` in a frame.

    Beside it the endpoint for systems that call us and the API for those who ask where a dossier stands, without
    Airflow's sign-in: they have secrets of their own.
    """

    name = "hosync"
    # Lists that nobody changes: Airflow's base class declares them so.
    # The longer paths come first: Airflow asks in this order whose a request is.
    fastapi_apps: list[Any] = [  # noqa: RUF012
        {"app": LazyApp(_inbound), "url_prefix": f"{PREFIX}/inbound", "name": "hosync inbound"},
        {"app": LazyApp(_feed), "url_prefix": f"{PREFIX}/feed", "name": "hosync feed"},
        {"app": LazyApp(_monitor), "url_prefix": PREFIX, "name": "hosync"},
    ]
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Giám sát đồng bộ / Sync monitor",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "url_route": "hosync",
            "icon": f"{PREFIX}/static/icon.svg",
        }
    ]
