"""Ledger -> target: claim what is due, send it, book a verdict for every item.

One pass claims a batch of dossiers and walks it in *waves*: first the dossier messages, then the first pending step of
every dossier, then the second, ... so that a step never overtakes the one before it. A wave's intent is committed
before its first byte leaves: should this process die in between, the next worker finds the rows in doubt and asks the
target (or does what the catalog declares) before it sends again.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson
from pydantic import BaseModel, ConfigDict

import mappings
from connectors.api import Held, Item, Outcome, Verdict
from connectors.catalog_models import InDoubt, Message, TargetEntry
from connectors.errors import ConnectorError
from ledger import delivery
from ledger.types import Backlog, Claimed, Phase, Sending, Settled, Settlement
from sync import decisions
from sync.catalogues import PublishedCodes
from sync.context import now
from sync.other_codes import OtherCodes
from sync.senders import Senders

if TYPE_CHECKING:
    from sync.context import Context

_CLAIM_CALLS = 4  # wire calls' worth of dossiers per claim and sender: long enough to be cheap, short enough to share
_CLAIM_AT_LEAST = 200
_FRUITLESS_BATCHES = 3
_SHORTEST_PAUSE_S = 0.05  # our clock and the database's may differ by a little
_LEASE_SHARE = 0.5  # a call must begin within this share of its lease, or not at all


class DeliverReport(BaseModel):
    """What one delivery run did, in messages, and what is left for later, in dossiers."""

    model_config = ConfigDict(frozen=True)

    target: str
    accepted: int = 0
    unchanged: int = 0
    rejected: int = 0
    retry: int = 0
    in_doubt: int = 0
    given_up: int = 0
    resolved_by_asking: int = 0
    remaining: int = 0

    @property
    def sent(self) -> int:
        """Messages that went over the wire."""
        return self.accepted + self.rejected + self.retry + self.in_doubt + self.given_up


def deliver(
    context: Context,
    target: str,
    *,
    limit: int | None = None,
    budget_s: float | None = None,
    wait_s: float = 0.0,
    on_batch: Callable[[Mapping[str, int]], None] | None = None,
) -> DeliverReport:
    """Deliver what is due to one target until nothing is, ``limit`` dossiers are done, or ``budget_s`` is used up.

    ``wait_s``: how long to wait, in all, for rows that become due again soon (a retry's delay, the lease of a worker
    that died). Many workers may run this at once. Raises ``CatalogError``, ``MappingError`` or ``LedgerError``; what a
    target answers is never an exception but a verdict in the report.
    """
    entry = context.catalog.target(target)
    run = _Run(
        context=context,
        entry=entry,
        mapping=mappings.load(entry.mapping, mappings.Direction.TARGET),
        owner=uuid4(),
    )
    clock = _Clock(budget_s=budget_s, wait_s=wait_s)
    done = fruitless = 0
    with ExitStack() as stack:
        run.senders = stack.enter_context(Senders(lambda: context.open_target(target), entry.concurrency))
        stack.callback(delivery.release, context.engine, target, run.owner)
        # A target that takes nothing, time and again, is down: what is due waits for the next run.
        while not clock.is_over and fruitless < _FRUITLESS_BATCHES and (limit is None or done < limit):
            while delivery.expand_feed(context.engine, target):
                pass
            size = run.claim_size if limit is None else min(run.claim_size, limit - done)
            rows = delivery.claim(
                context.engine, context.sealer, target, owner=run.owner, limit=size, lease_s=entry.lease_s
            )
            if not rows:
                if not clock.wait_for(delivery.backlog(context.engine, target)):
                    break
                continue
            before = run.progress
            run.process(rows)
            fruitless = 0 if run.progress > before else fruitless + 1
            done += len(rows)
            if on_batch:
                on_batch(dict(run.counts))
    backlog = delivery.backlog(context.engine, target)
    return DeliverReport(
        target=target,
        remaining=backlog.due + backlog.due_later + backlog.leased + backlog.doubt,
        **run.counts,
    )


class _Clock:
    """The run's time: its budget, and how much of its patience is left."""

    def __init__(self, *, budget_s: float | None, wait_s: float) -> None:
        self._end = None if budget_s is None else time.monotonic() + budget_s
        self._patience_s = wait_s

    @property
    def is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end

    def wait_for(self, backlog: Backlog) -> bool:
        """Sleep until something becomes due, within the patience left; False when there is nothing to wait for."""
        moments = [moment for moment in (backlog.next_due_at, backlog.next_lease_end) if moment is not None]
        if not moments:
            return False
        pause = max((min(moments) - now()).total_seconds(), _SHORTEST_PAUSE_S)
        if pause > self._patience_s:
            return False
        time.sleep(pause)
        self._patience_s -= pause
        return True


@dataclass(slots=True)
class _Outgoing:
    """One message of one claimed dossier, on its way."""

    row: Claimed
    item: Item
    phase: Phase
    version: int
    step: int
    fingerprint: bytes | None
    last: bool  # nothing of this dossier is left to send, or to pass over, after it

    def intent(self) -> Sending:
        return Sending(
            dossier_id=self.row.dossier_id,
            token=self.row.token,
            phase=self.phase,
            version=self.version,
            step=self.step,
        )


@dataclass(slots=True)
class _Run:
    context: Context
    entry: TargetEntry
    mapping: mappings.Mapping
    owner: UUID
    counts: Counter[str] = field(default_factory=Counter)
    senders: Senders = field(init=False)
    codes: OtherCodes = field(init=False)
    published: PublishedCodes = field(init=False)

    def __post_init__(self) -> None:
        self.codes = OtherCodes(self.context.engine, self.entry)
        is_strict = self.entry.catalogues is not None and self.entry.catalogues.blocking
        self.published = PublishedCodes.of(self.context.engine, self.entry) if is_strict else PublishedCodes({})

    @property
    def claim_size(self) -> int:
        calls = max(self.entry.batch.dossiers, self.entry.batch.steps) * self.entry.concurrency * _CLAIM_CALLS
        return max(calls, _CLAIM_AT_LEAST)

    @property
    def progress(self) -> int:
        """Messages that need no further try."""
        return self.counts.total() - self.counts["retry"] - self.counts["in_doubt"]

    def process(self, rows: Sequence[Claimed]) -> None:
        """Bring every claimed dossier as far as it gets now; afterwards none of them is leased by us any more."""
        self.codes.load(rows)
        alive = self._clear_doubts(rows)
        if Message.DOSSIER in self.entry.messages:
            alive = self._send_dossiers(alive)
        else:
            self._pass_over_dossiers(alive)
        if Message.STEP in self.entry.messages:
            self._send_steps(alive)
        else:
            self._pass_over_steps(alive)

    # -- doubts ------------------------------------------------------------------------------------------------

    def _clear_doubts(self, rows: Sequence[Claimed]) -> list[Claimed]:
        asked = [row for row in rows if row.doubt and self._policy(row.doubt.phase) is InDoubt.ASK]
        given_up = [row for row in rows if row.doubt and self._policy(row.doubt.phase) is InDoubt.GIVE_UP]
        repeated = [row for row in rows if row.doubt and self._policy(row.doubt.phase) is InDoubt.RISK_DOUBLE]
        delivery.send_doubts_again(self.context.engine, self.entry.system, repeated)
        answers = dict(self.senders.ask([row.code for row in asked], self.codes.to_ask(asked)))
        self.codes.found(asked, answers)
        settlements = [self._doubt_settled(row, Settled.GIVEN_UP, "the target can't be asked") for row in given_up]
        for row in asked:
            answer = answers[row.code]
            if isinstance(answer, ConnectorError):
                settlements.append(
                    self._doubt_settled(row, Settled.IN_DOUBT, "the target did not answer when asked", self._delay(row))
                )
            elif decisions.applied_for_sure(row, answer):
                self.counts["resolved_by_asking"] += 1
                settlements.append(self._doubt_settled(row, Settled.ACCEPTED, "found at the target when asked"))
        self._settle(settlements)
        cleared = {settlement.dossier_id for settlement in settlements}
        return [self._informed(row, answers.get(row.code)) for row in rows if row.dossier_id not in cleared]

    def _informed(self, row: Claimed, answer: Held | ConnectorError | None) -> Claimed:
        # Having asked, we know whether the target holds the dossier: insert and update are told apart by that.
        return replace(row, known=True) if isinstance(answer, Held) else row

    def _doubt_settled(self, row: Claimed, outcome: Settled, reason: str, delay_s: float = 0.0) -> Settlement:
        assert row.doubt is not None
        return Settlement(
            dossier_id=row.dossier_id,
            token=row.token,
            phase=row.doubt.phase,
            outcome=outcome,
            version=row.doubt.version,
            step=row.doubt.step,
            reason=reason,
            delay_s=delay_s,
        )

    def _policy(self, phase: Phase) -> InDoubt:
        operation = self.entry.operations.dossier if phase is Phase.DOSSIER else self.entry.operations.step
        return operation.in_doubt if operation else InDoubt.ASK

    def _delay(self, row: Claimed, asked_s: float | None = None) -> float:
        return decisions.backoff_s(row.attempts, asked_s, random.uniform)

    # -- waves -------------------------------------------------------------------------------------------------

    def _send_dossiers(self, rows: Sequence[Claimed]) -> list[Claimed]:
        held_back = self.published.held_back(rows)
        self._settle(held_back.values())
        rows = [row for row in rows if row.dossier_id not in held_back]
        pending = [row for row in rows if row.acked_version < row.version]
        ready, refused = self._messages(pending, Phase.DOSSIER, [row.dossier for row in pending])
        same = [message for message in ready if message.fingerprint == message.row.acked_fingerprint]
        self._settle([self._settlement(m, Verdict(m.item.key, Outcome.UNCHANGED)) for m in same])
        sent = self._send_wave(
            [m for m in ready if m.fingerprint != m.row.acked_fingerprint], self.entry.batch.dossiers
        )
        stopped = {message.row.dossier_id for message in ready} - sent - {message.row.dossier_id for message in same}
        return [row for row in rows if row.dossier_id not in stopped | refused]

    def _pass_over_dossiers(self, rows: Sequence[Claimed]) -> None:
        # A target that takes no records owes us no acknowledgement of one: only its steps can be outstanding.
        delivery.settle(
            self.context.engine,
            self.entry.system,
            [
                Settlement(
                    dossier_id=row.dossier_id,
                    token=row.token,
                    phase=Phase.DOSSIER,
                    outcome=Settled.UNCHANGED,
                    version=row.version,
                    step=0,
                    hold=bool(row.steps),
                )
                for row in rows
                if row.acked_version < row.version
            ],
        )

    def _pass_over_steps(self, rows: Sequence[Claimed]) -> None:
        # Likewise: a target that takes no steps owes us no acknowledgement of one.
        delivery.settle(
            self.context.engine,
            self.entry.system,
            [
                Settlement(
                    dossier_id=row.dossier_id,
                    token=row.token,
                    phase=Phase.STEP,
                    outcome=Settled.UNCHANGED,
                    version=row.version,
                    step=row.last_step,
                )
                for row in rows
                if row.steps
            ],
        )

    def _send_steps(self, rows: Sequence[Claimed]) -> None:
        position = 0
        alive = [row for row in rows if row.steps]
        while alive:
            wave, refused = self._messages(alive, Phase.STEP, [row.steps[position] for row in alive])
            accepted = self._send_wave(wave, self.entry.batch.steps)
            position += 1
            alive = [row for row in alive if row.dossier_id in accepted - refused and position < len(row.steps)]

    def _messages(
        self, rows: Sequence[Claimed], phase: Phase, sources: Sequence[Mapping[str, Any]]
    ) -> tuple[list[_Outgoing], set[int]]:
        """Translate; what can't be translated is settled as rejected, with field and rule, and named in the result."""
        convert = self.mapping.convert_dossiers if phase is Phase.DOSSIER else self.mapping.convert_steps
        converted = convert(sources)
        notices = self.codes.notices(self.mapping, rows, sources) if phase is Phase.STEP else {}
        messages = [
            self._message(rows[index], phase, sources[index], payload, notices.get(index))
            for index, payload in converted.good
        ]
        refused = [
            Settlement(
                dossier_id=rows[problem.index].dossier_id,
                token=rows[problem.index].token,
                phase=phase,
                outcome=Settled.REJECTED,
                version=rows[problem.index].version,
                step=int(sources[problem.index].get("step_no", 0)),
                fingerprint=None,
                reason=f"{problem.field}: {problem.message} ({problem.rule})",
                delay_s=0.0,
            )
            for problem in converted.bad
        ]
        self._settle(refused)
        return messages, {settlement.dossier_id for settlement in refused}

    def _message(
        self,
        row: Claimed,
        phase: Phase,
        source: Mapping[str, Any],
        payload: Mapping[str, Any],
        notice: Mapping[str, Any] | None,
    ) -> _Outgoing:
        step = int(source.get("step_no", 0))
        is_dossier = phase is Phase.DOSSIER
        return _Outgoing(
            row=row,
            item=Item(
                key=f"{row.dossier_id}:{step}",
                code=row.code,
                payload=payload,
                known=row.known,
                held_as=self.codes.of(row),
                notice=notice,
            ),
            phase=phase,
            version=row.version,
            step=step,
            fingerprint=_fingerprint(payload) if is_dossier else None,
            last=not row.steps if is_dossier else step == row.steps[-1]["step_no"],
        )

    def _send_wave(self, wave: Sequence[_Outgoing], batch: int) -> set[int]:
        # What failed before is sent alone: a record that upsets the target must not take its neighbours along again.
        fresh = [message for message in wave if not message.row.attempts]
        suspect = [message for message in wave if message.row.attempts]
        return self._send(fresh, batch) | self._send(suspect, 1)

    def _send(self, messages: Sequence[_Outgoing], batch: int) -> set[int]:
        """Send in portions whose intent is committed first; returns the dossiers whose message is at the target now."""
        accepted: set[int] = set()
        for portion in _portions(messages, self._intent_size(messages, batch)):
            marked_at = time.monotonic()
            ours = delivery.mark_sending(
                self.context.engine,
                self.entry.system,
                owner=self.owner,
                lease_s=self.entry.lease_s,
                rows=[message.intent() for message in portion],
            )
            held = [message for message in portion if message.row.dossier_id in ours]
            if not held:
                continue
            by_key = {message.item.key: message for message in held}
            verdicts = self.senders.send(
                [message.item for message in held],
                held[0].phase,
                batch=batch,
                begin_before=marked_at + self.entry.lease_s * _LEASE_SHARE,
            )
            if held[0].phase is Phase.DOSSIER:
                self.codes.accepted({key: each.row for key, each in by_key.items()}, verdicts)
            self._settle([self._settlement(by_key[verdict.key], verdict) for verdict in verdicts])
            accepted |= {
                by_key[verdict.key].row.dossier_id
                for verdict in verdicts
                if verdict.outcome in (Outcome.ACCEPTED, Outcome.UNCHANGED)
            }
        return accepted

    def _intent_size(self, messages: Sequence[_Outgoing], batch: int) -> int:
        # Where an unknown outcome can't be resolved, only what is really on the wire may fall into doubt.
        if messages and self._policy(messages[0].phase) in (InDoubt.GIVE_UP, InDoubt.RISK_DOUBLE):
            return batch * self.entry.concurrency
        return max(64, batch * self.entry.concurrency)

    # -- booking -----------------------------------------------------------------------------------------------

    def _settlement(self, message: _Outgoing, verdict: Verdict) -> Settlement:
        outcome = decisions.settled(verdict, self._policy(message.phase))
        is_there = outcome in (Settled.ACCEPTED, Settled.UNCHANGED)
        return Settlement(
            dossier_id=message.row.dossier_id,
            token=message.row.token,
            phase=message.phase,
            outcome=outcome,
            version=message.version,
            step=message.step,
            fingerprint=message.fingerprint if is_there else None,
            reason=verdict.reason,
            delay_s=self._delay(message.row, verdict.retry_after_s)
            if outcome in (Settled.RETRY, Settled.IN_DOUBT)
            else 0.0,
            hold=is_there and not message.last,
        )

    def _settle(self, settlements: Iterable[Settlement]) -> None:
        rows = list(settlements)
        if not rows:
            return
        delivery.settle(self.context.engine, self.entry.system, rows)
        for row in rows:
            self.counts[row.outcome.value] += 1


def _fingerprint(payload: Mapping[str, Any]) -> bytes:
    return hashlib.blake2b(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _portions(messages: Sequence[_Outgoing], size: int) -> Iterable[Sequence[_Outgoing]]:
    return (messages[start : start + size] for start in range(0, len(messages), size))
