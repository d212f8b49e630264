"""The few calls to Airflow's REST API that `hosync up` needs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import requests

from cli.up.errors import UpError

_TIMEOUT_S = (5.0, 30.0)
_ATTEMPTS = 5
_PAUSE_S = 1.0


class RunState(StrEnum):
    """Where a DAG run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def is_active(self) -> bool:
        return self in (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class DagRun:
    """One run of one DAG. Times are UTC; ``None`` = not yet."""

    dag_id: str
    run_id: str
    state: RunState
    started_at: datetime | None
    ended_at: datetime | None


class AirflowApi:
    """A signed-in client. A token that has expired is renewed once per call."""

    def __init__(self, url: str, *, user: str, password: str) -> None:
        self.url = url
        self._user = user
        self._password = password
        self._session = requests.Session()
        self._session.trust_env = False

    def sign_in(self) -> None:
        """Raises ``UpError`` when what answers at the address does not know our password: it is another Airflow."""
        answer = self._answer("POST", "/auth/token", json={"username": self._user, "password": self._password})
        if answer.status_code != HTTPStatus.CREATED:
            raise UpError(
                f"Airflow refused the sign-in of '{self._user}' (HTTP {answer.status_code}).",
                where=self.url,
                next_step="Another Airflow may answer there: stop it, then start again.",
            )
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def dags(self) -> dict[str, bool]:
        """The DAGs that the dag-processor has read so far: id -> whether it is paused."""
        return {dag["dag_id"]: dag["is_paused"] for dag in self._all("/api/v2/dags", "dags", exclude_stale="true")}

    def import_errors(self) -> dict[str, str]:
        """DAG files that could not be read: file -> the last line of the reason."""
        rows = self._all("/api/v2/importErrors", "import_errors")
        return {row["filename"]: row["stack_trace"].strip().rsplit("\n", 1)[-1] for row in rows}

    def ensure_pools(self, pools: Mapping[str, int]) -> None:
        """Make these pools, or give them this size. A task whose pool is missing would wait for ever."""
        known = {pool["name"] for pool in self._all("/api/v2/pools", "pools")}
        for name, slots in pools.items():
            size = {"slots": slots, "description": "hosync", "include_deferred": False}
            if name in known:
                self._call("PATCH", f"/api/v2/pools/{name}", json={"pool": name, **size})
            else:
                self._call("POST", "/api/v2/pools", json={"name": name, **size}, accept=(HTTPStatus.CONFLICT,))

    def unpause(self, dag_ids: Iterable[str]) -> None:
        """Let these DAGs run."""
        for dag_id in dag_ids:
            self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})

    def pause(self, dag_ids: Iterable[str]) -> None:
        """Let these DAGs begin nothing."""
        for dag_id in dag_ids:
            self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": True})

    def trigger(self, dag_id: str) -> str:
        """Start a run now; returns its id."""
        run_id = f"up__{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
        body = {"dag_run_id": run_id, "logical_date": None}
        # A conflict means that the run is there already: an answer to an earlier attempt was lost.
        self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body, accept=(HTTPStatus.CONFLICT,))
        return run_id

    def runs(self, dag_ids: Sequence[str], *, since: datetime) -> list[DagRun]:
        """All runs of these DAGs that something happened to since then, and whatever is active, oldest first."""
        wanted = set(dag_ids)
        fresh = self._all("/api/v2/dags/~/dagRuns", "dag_runs", updated_at_gte=since.isoformat(), order_by="run_after")
        active = self._all("/api/v2/dags/~/dagRuns", "dag_runs", state=["queued", "running"], order_by="run_after")
        found = {(row["dag_id"], row["dag_run_id"]): row for row in (*active, *fresh) if row["dag_id"] in wanted}
        return [_run(row) for row in sorted(found.values(), key=lambda row: str(row["run_after"]))]

    def _all(self, path: str, key: str, **query: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = self._call("GET", path, params={**query, "limit": 100, "offset": len(rows)})
            rows += page[key]
            if len(rows) >= page["total_entries"] or not page[key]:
                return rows

    def _call(self, method: str, path: str, *, accept: Sequence[int] = (), **arguments: Any) -> Any:
        answer = self._answer(method, path, **arguments)
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            self.sign_in()
            answer = self._answer(method, path, **arguments)
        if not answer.ok and answer.status_code not in accept:
            raise UpError(
                f"Airflow refused {method} {path} (HTTP {answer.status_code}).",
                where=self.url,
                next_step="Read logs/api-server.log in the home folder.",
            )
        return answer.json()

    def _answer(self, method: str, path: str, **arguments: Any) -> requests.Response:
        # A busy machine makes Airflow slow; every call here may be repeated.
        for left in reversed(range(_ATTEMPTS)):
            try:
                return self._session.request(method, self.url + path, timeout=_TIMEOUT_S, **arguments)
            except requests.RequestException as error:
                if not left:
                    raise UpError(
                        f"Airflow does not answer ({type(error).__name__}).",
                        where=self.url,
                        next_step="Read logs/api-server.log in the home folder; on a very busy machine start again.",
                    ) from error
                time.sleep(_PAUSE_S)
        raise AssertionError("unreachable")


def _run(row: dict[str, Any]) -> DagRun:
    return DagRun(
        dag_id=row["dag_id"],
        run_id=row["dag_run_id"],
        state=RunState(row["state"]),
        started_at=_moment(row["start_date"]),
        ended_at=_moment(row["end_date"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
