"""Sending many items in few calls to a target that answers a batch as a whole: yes, no, or nothing clear.

The rules, for any such target:

* a batch refused for its data is halved down to the bad item; the others are delivered;
* "exists" to an insert means: the same items as an update, and "missing" to an update: as an insert. That is tried
  once per batch; a batch that mixes both kinds is refused both ways and halved;
* a call of unclear outcome puts its items in doubt and is not repeated; what was not sent yet waits;
* a step is not sent once an earlier step of its dossier was not taken: their order is part of the message;
  one that the target holds already is unchanged.

No input or output here: the call itself is passed in.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from connectors.api import Item, Verdict
from connectors.targets.answers import Kind, Reply, held_back, stops_the_run, unchanged, verdict

_REFUSED = frozenset({Kind.REFUSED, Kind.EXISTS, Kind.MISSING})


class Upserts:
    """Delivers dossier records, each as insert or update. One instance per run."""

    def __init__(self, call: Callable[[Sequence[Item], bool], Reply]) -> None:
        """``call(items, update)`` makes one wire call and never raises."""
        self._call = call
        self._stopped: Reply | None = None

    def send(self, items: Sequence[Item], size: int) -> list[Verdict]:
        """One verdict per item; at most ``size`` items per call. Dossiers the target knows go as updates."""
        verdicts: list[Verdict] = []
        for update in (False, True):
            group = [item for item in items if item.known is update]
            for batch in chunks(group, size):
                verdicts += self._settle(batch, update)
        return verdicts

    def _settle(self, items: Sequence[Item], update: bool) -> Iterator[Verdict]:
        reply = self._one_call(items, update)
        if reply.kind is (Kind.MISSING if update else Kind.EXISTS):
            reply = _both_ways(self._one_call(items, not update))
        if reply.kind in _REFUSED and len(items) > 1:
            middle = len(items) // 2
            yield from self._settle(items[:middle], update)
            yield from self._settle(items[middle:], update)
            return
        payloads = [item.payload for item in items]
        yield from (verdict(item, reply, payloads) for item in items)

    def _one_call(self, items: Sequence[Item], update: bool) -> Reply:
        if self._stopped is not None:
            return held_back(self._stopped)
        reply = self._call(items, update)
        if stops_the_run(reply):
            self._stopped = reply
        return reply


class Sequences:
    """Delivers messages of one kind, keeping the order within a dossier. One instance per run."""

    def __init__(self, call: Callable[[Sequence[Item]], Reply]) -> None:
        """``call(items)`` makes one wire call and never raises."""
        self._call = call
        self._stopped: Reply | None = None
        self._blocked: dict[str, Reply] = {}

    def send(self, items: Sequence[Item], size: int) -> list[Verdict]:
        """One verdict per item; at most ``size`` items per call."""
        return [one for batch in chunks(items, size) for one in self._settle(batch)]

    def _settle(self, items: Sequence[Item]) -> Iterator[Verdict]:
        waiting = [item for item in items if item.code in self._blocked]
        yield from (verdict(item, _after(self._blocked[item.code])) for item in waiting)
        ready = [item for item in items if item.code not in self._blocked]
        if not ready:
            return
        if self._stopped is not None:
            yield from (verdict(item, held_back(self._stopped)) for item in ready)
            return
        reply = self._call(ready)
        if reply.kind in _REFUSED and len(ready) > 1:
            middle = len(ready) // 2
            yield from self._settle(ready[:middle])
            yield from self._settle(ready[middle:])
            return
        if stops_the_run(reply):
            self._stopped = reply
        if reply.kind is Kind.EXISTS:
            yield from (unchanged(item, reply) for item in ready)
            return
        if reply.kind is not Kind.DONE:
            self._blocked |= {item.code: reply for item in ready}
        payloads = [item.payload for item in ready]
        yield from (verdict(item, reply, payloads) for item in ready)


def chunks(items: Sequence[Item], size: int) -> Iterable[Sequence[Item]]:
    """``items`` in pieces of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _both_ways(reply: Reply) -> Reply:
    if reply.kind not in (Kind.EXISTS, Kind.MISSING):
        return reply
    return replace(reply, kind=Kind.REFUSED, reason=f"refused as an insert and as an update, at last: {reply.reason}")


def _after(earlier: Reply) -> Reply:
    return Reply(
        kind=Kind.NOT_NOW,
        reason="waits for an earlier message of the same dossier",
        retry_after_s=earlier.retry_after_s,
    )
