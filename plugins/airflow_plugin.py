"""The plugin Airflow loads, in every one of its processes: it costs nothing until the page is asked for."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/hosync"


class LazyApp:
    """An ASGI application that is built by its first request, in the API server only."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._guard = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await self._built()(scope, receive, send)

    def _built(self) -> ASGIApp:
        with self._guard:
            if self._app is None:
                from plugins.web import create_app

                self._app = create_app()
            return self._app


class HosyncPlugin(AirflowPlugin):
    """The sync monitor: an entry in the navigation that shows ``/hosync/`` in a frame."""

    name = "hosync"
    # Lists that nobody changes: Airflow's base class declares them so.
    fastapi_apps: list[Any] = [{"app": LazyApp(), "url_prefix": PREFIX, "name": "hosync"}]  # noqa: RUF012
    external_views: list[Any] = [  # noqa: RUF012
        {
            "name": "Giám sát đồng bộ / Sync monitor",
            "href": f"{PREFIX}/",
            "destination": "nav",
            "url_route": "hosync",
            "icon": f"{PREFIX}/static/icon.svg",
        }
    ]
