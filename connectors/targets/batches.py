"""Sending many items in few calls to a target that answers a batch as a whole: yes, no, or nothing clear.

The rules, for any such target:

* a batch refused for its data is halved down to the bad item; the others are delivered;
* "exists" to an insert means: the same items as an update, and "missing" to an update: as an insert. That is tried
  once per batch; a batch that mixes both kinds is refused both ways and halved;
* a dossier that is held there under another code is an update under that code; "missing" then means: it is not, and
  it goes under its own code. Such a batch is never inserted whole: that would double those that are there;
* a call of unclear outcome puts its items in doubt and is neither repeated nor halved; what was not sent yet waits;
* halving ends: after so many calls for one batch, or when its time is up, what is left waits for the next run, which
  sends it one by one. So a batch costs a bounded number of calls, however many of its items are bad;
* a step is not sent once an earlier step of its dossier was not taken: their order is part of the message;
  one that the target holds already is unchanged.

No input or output here: the call itself is passed in, and so is the time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from connectors.api import Item, Verdict
from connectors.targets.answers import Kind, Reply, held_back, stops_the_run, unchanged, verdict, verdicts_of

_REFUSED = frozenset({Kind.REFUSED, Kind.EXISTS, Kind.MISSING})
_ENOUGH = Reply(kind=Kind.NOT_NOW, reason="not sent: its batch was refused and halved often enough, it goes alone")


def most_calls(size: int) -> int:
    """How many calls a batch of ``size`` items may cost: room to find two or three bad items among many."""
    return 8 + 4 * (size - 1).bit_length()


class _Halving:
    """What both kinds of message share: how long halving goes on, and that a failed call ends the run."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over
        self._stopped: Reply | None = None
        self._calls_left = 0

    def _begin(self, batch: Sequence[Item]) -> Sequence[Item]:
        self._calls_left = most_calls(len(batch))
        return batch

    def _call_once(self, call: Callable[[], Reply]) -> Reply:
        if self._stopped is not None:
            return held_back(self._stopped)
        if not self._calls_left or self._is_over():
            return _ENOUGH
        self._calls_left -= 1
        reply = call()
        if stops_the_run(reply):
            self._stopped = reply
        return reply


class Upserts(_Halving):
    """Delivers dossier records, each as insert or update. One instance per run."""

    def __init__(
        self, call: Callable[[Sequence[Item], bool], Reply], is_over: Callable[[], bool] = lambda: False
    ) -> None:
        """``call(items, update)`` makes one wire call and never raises; ``is_over()``: no time for another one."""
        super().__init__(is_over)
        self._call = call

    def send(self, items: Sequence[Item], size: int) -> list[Verdict]:
        """One verdict per item; at most ``size`` items per call. Dossiers the target knows go as updates."""
        verdicts: list[Verdict] = []
        elsewhere = [item for item in items if item.held_as]
        for batch in chunks(elsewhere, size):
            verdicts += self._settle_elsewhere(self._begin(batch))
        for update in (False, True):
            group = [item for item in items if not item.held_as and item.known is update]
            for batch in chunks(group, size):
                verdicts += self._settle(self._begin(batch), update)
        return verdicts

    def _settle_elsewhere(self, items: Sequence[Item]) -> Iterator[Verdict]:
        reply = self._one_call(items, True)
        if reply.kind in _REFUSED and len(items) > 1:
            yield from self._settle_elsewhere(items[: len(items) // 2])
            yield from self._settle_elsewhere(items[len(items) // 2 :])
        elif reply.kind is Kind.MISSING:
            yield from self._settle([replace(item, held_as=None) for item in items], items[0].known)
        else:
            yield from verdicts_of(items, reply)

    def _settle(self, items: Sequence[Item], update: bool) -> Iterator[Verdict]:
        reply = self._one_call(items, update)
        if reply.kind is (Kind.MISSING if update else Kind.EXISTS):
            reply = _both_ways(self._one_call(items, not update))
        if reply.kind in _REFUSED and len(items) > 1:
            middle = len(items) // 2
            yield from self._settle(items[:middle], update)
            yield from self._settle(items[middle:], update)
            return
        yield from verdicts_of(items, reply)

    def _one_call(self, items: Sequence[Item], update: bool) -> Reply:
        return self._call_once(lambda: self._call(items, update))


class Sequences(_Halving):
    """Delivers messages of one kind, keeping the order within a dossier. One instance per run."""

    def __init__(self, call: Callable[[Sequence[Item]], Reply], is_over: Callable[[], bool] = lambda: False) -> None:
        """``call(items)`` makes one wire call and never raises; ``is_over()``: no time for another one."""
        super().__init__(is_over)
        self._call = call
        self._blocked: dict[str, Reply] = {}

    def send(self, items: Sequence[Item], size: int) -> list[Verdict]:
        """One verdict per item; at most ``size`` items per call."""
        return [one for batch in chunks(items, size) for one in self._settle(self._begin(batch))]

    def _settle(self, items: Sequence[Item]) -> Iterator[Verdict]:
        waiting = [item for item in items if item.code in self._blocked]
        yield from (verdict(item, _after(self._blocked[item.code])) for item in waiting)
        ready = [item for item in items if item.code not in self._blocked]
        if not ready:
            return
        reply = self._call_once(lambda: self._call(ready))
        if reply.kind in _REFUSED and len(ready) > 1:
            middle = len(ready) // 2
            yield from self._settle(ready[:middle])
            yield from self._settle(ready[middle:])
            return
        if reply.kind is Kind.EXISTS:
            yield from (unchanged(item, reply) for item in ready)
            return
        if reply.kind is not Kind.DONE:
            self._blocked |= {item.code: reply for item in ready}
        yield from verdicts_of(ready, reply)


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
