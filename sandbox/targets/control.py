"""The control endpoints of a target, under ``/_sandbox/``: what it holds, what was written, and damage on purpose.

====================  ==================================================================================
``GET dossiers``       what is held, JSON lines; ``?code=`` for one dossier
``GET steps``          the steps (traces, events) held, JSON lines in the order of storing; ``?code=`` for one dossier
``GET writes``         the ledger of applied writes, JSON lines: seq, at, operation, code, key, effect, state,
                       body_hash; ``?after=SEQ`` for what came since
``GET stats``          running totals: dossiers, steps, dossiers by state, writes by operation and effect, refusals
``POST damage``        ``{"delete": [code], "set_state": {code: state}, "add": [{"code", "state", "fields"?}]}``
                       answers how many of each were done; the ledger of writes does not see damage
====================  ==================================================================================
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.http import json_lines, json_response, read_json
from sandbox.targets.store import Clock


class Holdings(Protocol):
    """What a target's store offers to the control endpoints. States are the numbers of its own dialect."""

    def held(self, code: str | None = None) -> Iterator[dict[str, Any]]: ...
    def held_steps(self, code: str | None = None) -> Iterator[dict[str, Any]]: ...
    def writes(self, after: int = 0) -> Iterator[dict[str, Any]]: ...
    def tallies(self) -> dict[str, int]: ...
    def delete(self, codes: Sequence[str]) -> int: ...
    def set_state(self, code: str, state: int, now: datetime) -> bool: ...
    def plant(self, code: str, state: int, fields: Mapping[str, Any], now: datetime) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A dossier that damage adds: nobody sent it."""

    code: str
    state: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What ``POST damage`` asks for."""

    delete: Sequence[str]
    set_state: Mapping[str, int]
    add: Sequence[Planted]

    @classmethod
    def parse(cls, body: Mapping[str, Any], states: Sequence[int]) -> "Damage":
        """Read the body; ValueError says what is wrong with it. ``states`` are those the target knows."""
        unknown = body.keys() - {"delete", "set_state", "add"}
        if unknown:
            raise ValueError(f"unknown key {sorted(unknown)[0]!r}; known are delete, set_state, add")
        delete, moved, added = body.get("delete", []), body.get("set_state", {}), body.get("add", [])
        if not isinstance(delete, list) or not isinstance(moved, dict) or not isinstance(added, list):
            raise ValueError("delete and add must be arrays, set_state an object")
        return cls(
            delete=[str(code) for code in delete],
            set_state={code: _state(state, states) for code, state in moved.items()},
            add=[_planted(one, states) for one in added],
        )


def _state(value: object, states: Sequence[int]) -> int:
    text = str(value)
    if not text.isdigit() or int(text) not in states:
        raise ValueError(f"a state must be one of {', '.join(map(str, states))}")
    return int(text)


def _planted(value: object, states: Sequence[int]) -> Planted:
    if not isinstance(value, dict) or not isinstance(value.get("code"), str) or not value["code"]:
        raise ValueError("each element of add must be an object with a code and a state")
    fields = value.get("fields", {})
    if not isinstance(fields, dict):
        raise ValueError("fields must be an object in the target's own dialect")
    return Planted(code=value["code"], state=_state(value.get("state"), states), fields=fields)


def nested(tallies: Mapping[str, int]) -> dict[str, Any]:
    """Totals named ``a:b:c`` as objects within objects."""
    tree: dict[str, Any] = {}
    for name, count in tallies.items():
        *path, leaf = name.split(":")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[leaf] = count
    return tree


def control_routes(store: Holdings, states: Sequence[int], clock: Clock) -> list[Route]:
    """The routes above for one store; ``states`` are those the target knows."""

    async def dossiers(request: Request) -> Response:
        return json_lines(store.held(request.query_params.get("code")))

    async def steps(request: Request) -> Response:
        return json_lines(store.held_steps(request.query_params.get("code")))

    async def writes(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not after.isdigit():
            return json_response({"error": "after must be the seq of a write"}, 422)
        return json_lines(store.writes(int(after)))

    async def stats(_request: Request) -> Response:
        return json_response(nested(store.tallies()))

    async def damage(request: Request) -> Response:
        now = clock()
        try:
            wanted = Damage.parse(await read_json(request), states)
            added = sum(store.plant(one.code, one.state, one.fields, now) for one in wanted.add)
        except ValueError as error:
            return json_response({"error": str(error)}, 422)
        moved = sum(store.set_state(code, state, now) for code, state in wanted.set_state.items())
        return json_response({"deleted": store.delete(wanted.delete), "set": moved, "added": added})

    return [
        Route("/dossiers", dossiers, methods=["GET"]),
        Route("/steps", steps, methods=["GET"]),
        Route("/writes", writes, methods=["GET"]),
        Route("/stats", stats, methods=["GET"]),
        Route("/damage", damage, methods=["POST"]),
    ]
