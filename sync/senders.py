"""A few threads, each with its own connection to the target, that carry calls side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING

from connectors.api import Held, Item, Outcome, Target, Verdict
from connectors.errors import ConnectorError, NoTurn
from ledger.types import Phase

if TYPE_CHECKING:
    from typing import Self

    from sync.gate import Gate


class Senders:
    """``count`` threads; a target connector is opened in each on first use and closed at the end.

    The connectors' calls pass the ``gate``, which is told how each ended.
    """

    def __init__(self, open_target: Callable[[], Target], count: int, gate: Gate) -> None:
        self._open_target = open_target
        self._gate = gate
        self._local = threading.local()
        self._opened: list[Target] = []
        self._guard = threading.Lock()
        # One more than may call at once: its message is written by the time another one's call ends.
        threads = count + 1 if count > 1 else 1
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="sender")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for target in self._opened:
            target.close()

    def send(
        self, items: Sequence[Item], phase: Phase, *, batch: int, begin_before: float, again: bool
    ) -> list[Verdict]:
        """Send in calls of ``batch`` items; a verdict for every item that was tried, none for those that were not.

        A call that could not begin before ``begin_before`` (monotonic seconds) is not made: the lease under which it
        would run may be over, and another worker may have sent something newer. Nor is one that the gate does not let
        go. ``again``: these messages had failed before.
        """

        def call(portion: Sequence[Item]) -> list[Verdict]:
            if self._gate.rest() is not None:
                return []
            with self._gate.begun_before(begin_before):
                target = self._target()
                verdicts = target.send_dossiers(portion) if phase is Phase.DOSSIER else target.send_steps(portion)
                if self._gate.refused:
                    # Of a batch in parts some may have gone out; the others were told to come back, and are untried.
                    return [each for each in verdicts if each.outcome is not Outcome.RETRY]
                self._gate.sent(verdicts, again=again)
            return verdicts

        portions = [items[start : start + batch] for start in range(0, len(items), batch)]
        return [verdict for verdicts in self._pool.map(call, portions) for verdict in verdicts]

    def ask(
        self, codes: Sequence[str], others: Mapping[str, Sequence[str]] = MappingProxyType({})
    ) -> Iterator[tuple[str, Held | ConnectorError | None]]:
        """Look every code up at the target; an error stands in the place of its answer (``NoTurn``: not asked).

        ``others``: more codes under which a dossier may be held there, by our code.

        After the first error nobody else is asked about: a target that is down would cost a time-out for every code.
        """
        failures: list[ConnectorError] = []

        def look(code: str) -> Held | ConnectorError | None:
            if failures:
                return failures[0]
            try:
                found = self._target().lookup(code, others.get(code, ()))
            except ConnectorError as error:
                failures.append(error)
                if not isinstance(error, NoTurn):
                    self._gate.asked(good=False)
                return error
            self._gate.asked(good=True)
            return found

        return zip(codes, self._pool.map(look, codes), strict=True)

    def _target(self) -> Target:
        target: Target | None = getattr(self._local, "target", None)
        if target is None:
            target = self._local.target = self._open_target()
            with self._guard:
                self._opened.append(target)
        return target
