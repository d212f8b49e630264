"""A claimed batch of dossiers on its way: doubts first, then waves of messages, and a verdict booked for every one.

First go the dossier messages, then the first pending step of every dossier, then the second, ... so that a step never
overtakes the one before it. A wave's intent is committed before its first byte leaves: should this process die in
between, the next worker finds the rows in doubt and asks the target (or does what the catalog declares) before it
sends again. What the gate does not let go is given back as if it had never been claimed.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson

from connectors.api import Held, Item, Outcome, Verdict
from connectors.catalog_models import InDoubt, Message, TargetEntry
from connectors.errors import ConnectorError, NoTurn
from ledger import delivery
from ledger.types import Claimed, Patience, Phase, Settled, Settlement
from sync import decisions
from sync.catalogues import PublishedCodes
from sync.other_codes import OtherCodes

if TYPE_CHECKING:
    import mappings
    from sync.context import Context
    from sync.gate import Gate
    from sync.senders import Senders

_LEASE_SHARE = 0.5  # a call must begin within this share of its lease, or not at all
_INTENT_CALLS = 2  # calls of each sender under one intent: at its end the senders wait for the ledger
_INTENT_AT_LEAST = 64
_HANDFUL = 50  # records taken from one form to the next at a time: what was just made is still at hand
_POSTPONED_S = 20.0  # how long retries wait that cannot be afforded now, give or take


@dataclass(slots=True)
class _Outgoing:
    """One message of one claimed dossier, on its way."""

    row: Claimed
    item: Item
    phase: Phase
    version: int
    step: int
    fingerprint: bytes | None
    last: bool  # nothing of this dossier is left to send after it
    passes: int | None  # what its acceptance settles of the kind of message that the target does not take


@dataclass(slots=True)
class Waves:
    """One worker's way of bringing claimed dossiers to the target. ``counts``: messages by outcome.

    ``is_over``: the run's time is up; no further calls begin."""

    context: Context
    entry: TargetEntry
    mapping: mappings.Mapping
    senders: Senders
    gate: Gate
    is_over: Callable[[], bool] = lambda: False
    owner: UUID = field(default_factory=uuid4)
    counts: Counter[str] = field(default_factory=Counter)
    _gave_back: bool = False
    _patience: Patience = field(init=False)
    _codes: OtherCodes = field(init=False)
    _published: PublishedCodes = field(init=False)
    _takes_dossiers: bool = field(init=False)
    _takes_steps: bool = field(init=False)

    def __post_init__(self) -> None:
        self._takes_dossiers = Message.DOSSIER in self.entry.messages
        self._takes_steps = Message.STEP in self.entry.messages
        self._codes = OtherCodes(self.context.engine, self.entry)
        is_strict = self.entry.catalogues is not None and self.entry.catalogues.blocking
        self._published = PublishedCodes.of(self.context.engine, self.entry) if is_strict else PublishedCodes({})
        self._patience = decisions.patience(self.entry.retries)

    @property
    def progress(self) -> int:
        """Messages that need no further try."""
        return self.counts.total() - self.counts["retry"] - self.counts["in_doubt"]

    def process(self, rows: Sequence[Claimed]) -> None:
        """Bring every claimed dossier as far as it gets now; afterwards none of them is leased by us any more."""
        self._gave_back = False
        self._send_all(rows)
        if self._gave_back:
            is_retry_waiting = self.gate.rest() is None and not self.is_over()
            self.give_back(_POSTPONED_S * random.uniform(0.5, 1.5) if is_retry_waiting else 0.0)

    def give_back(self, delay_s: float = 0.0) -> None:
        """Whatever is still ours is anybody's again after ``delay_s``."""
        delivery.release(self.context.engine, self.entry.system, self.owner, delay_s=delay_s)

    def _send_all(self, rows: Sequence[Claimed]) -> None:
        self._codes.load(rows)
        alive = self._pass_what_is_there(self._clear_doubts(rows))
        if self._takes_dossiers:
            alive = self._send_dossiers(alive)
        if self._takes_steps:
            self._send_steps(alive)
        self._pass_over(alive)

    # -- doubts ------------------------------------------------------------------------------------------------

    def _clear_doubts(self, rows: Sequence[Claimed]) -> list[Claimed]:
        asked = [row for row in rows if row.doubt and self._policy(row.doubt.phase) is InDoubt.ASK]
        given_up = [row for row in rows if row.doubt and self._policy(row.doubt.phase) is InDoubt.GIVE_UP]
        repeated = [row for row in rows if row.doubt and self._policy(row.doubt.phase) is InDoubt.RISK_DOUBLE]
        delivery.send_doubts_again(self.context.engine, self.entry.system, repeated)
        answers = dict(self.senders.ask([row.code for row in asked], self._codes.to_ask(asked)))
        self._codes.found(asked, answers)
        settlements = [self._doubt_settled(row, Settled.GIVEN_UP, "the target can't be asked") for row in given_up]
        unasked = set()
        for row in asked:
            answer = answers[row.code]
            if isinstance(answer, NoTurn):
                unasked.add(row.dossier_id)
                self._gave_back = True
            elif isinstance(answer, ConnectorError):
                settlements.append(
                    self._doubt_settled(row, Settled.IN_DOUBT, "the target did not answer when asked", self._delay(row))
                )
            elif decisions.applied_for_sure(row, answer):
                self.counts["resolved_by_asking"] += 1
                settlements.append(self._doubt_settled(row, Settled.ACCEPTED, "found at the target when asked"))
        self._settle(settlements)
        cleared = {settlement.dossier_id for settlement in settlements} | unasked
        alive = [row for row in rows if row.dossier_id not in cleared]
        found = [row for row in alive if not row.known and isinstance(answers.get(row.code), Held)]
        delivery.keep_known(self.context.engine, self.entry.system, found)
        return [self._informed(row, answers.get(row.code)) for row in alive]

    def _informed(self, row: Claimed, answer: Held | ConnectorError | None) -> Claimed:
        # Having asked, we know whether the target holds the dossier: insert and update are told apart by that.
        return replace(row, known=True) if isinstance(answer, Held) else row

    def _pass_what_is_there(self, rows: Sequence[Claimed]) -> list[Claimed]:
        """After a restore the target may have any of several steps: told from the first on, it would go back."""
        unsure = [row for row in rows if row.unsure and len(row.steps) > 1]
        if not unsure or not self._takes_steps or self._policy(Phase.DOSSIER) is not InDoubt.ASK:
            return list(rows)
        answers = dict(self.senders.ask([row.code for row in unsure], self._codes.to_ask(unsure)))
        asked = {row.dossier_id for row in unsure}
        told, alive = [], [row for row in rows if row.dossier_id not in asked]
        for row in unsure:
            answer = answers[row.code]
            if isinstance(answer, ConnectorError):
                self._gave_back = True
                continue
            left = decisions.not_yet_there(row.steps, answer)
            if not left:
                told.append(row)
            if left or row.acked_version < row.version:
                alive.append(replace(row, steps=left))
        reason = "found at the target when asked"
        self._settle(
            [
                replace(self._passed_over(row, Phase.STEP), reason=reason, hold=row.acked_version < row.version)
                for row in told
            ]
        )
        return alive

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
            passes=self._passes(row, row.doubt.phase),
        )

    def _policy(self, phase: Phase) -> InDoubt:
        operation = self.entry.operations.dossier if phase is Phase.DOSSIER else self.entry.operations.step
        return operation.in_doubt if operation else InDoubt.ASK

    def _delay(self, row: Claimed, asked_s: float | None = None) -> float:
        return decisions.backoff_s(row.attempts, asked_s, random.uniform)

    # -- waves -------------------------------------------------------------------------------------------------

    def _send_dossiers(self, rows: Sequence[Claimed]) -> list[Claimed]:
        held_back = self._published.held_back(rows)
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

    def _pass_over(self, rows: Sequence[Claimed]) -> None:
        """Settle what the target is never told of, of dossiers about which there was nothing else to tell."""
        if not self._takes_dossiers:
            owing = [row for row in rows if not row.steps and row.acked_version < row.version]
            self._settle([self._passed_over(row, Phase.DOSSIER) for row in owing])
        if not self._takes_steps:
            owing = [row for row in rows if row.acked_version == row.version and row.acked_step < row.last_step]
            self._settle([self._passed_over(row, Phase.STEP) for row in owing])

    def _passed_over(self, row: Claimed, phase: Phase) -> Settlement:
        return Settlement(
            dossier_id=row.dossier_id,
            token=row.token,
            phase=phase,
            outcome=Settled.UNCHANGED,
            version=row.version,
            step=row.last_step if phase is Phase.STEP else 0,
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
        messages: list[_Outgoing] = []
        refused: list[Settlement] = []
        for start in range(0, len(rows), _HANDFUL):
            end = start + _HANDFUL
            good, bad = self._translated(rows[start:end], phase, sources[start:end])
            messages += good
            refused += bad
        self._settle(refused)
        return messages, {settlement.dossier_id for settlement in refused}

    def _translated(
        self, rows: Sequence[Claimed], phase: Phase, sources: Sequence[Mapping[str, Any]]
    ) -> tuple[list[_Outgoing], list[Settlement]]:
        convert = self.mapping.convert_dossiers if phase is Phase.DOSSIER else self.mapping.convert_steps
        converted = convert(sources)
        notices = self._codes.notices(self.mapping, rows, sources) if phase is Phase.STEP else {}
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
        return messages, refused

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
                held_as=self._codes.of(row),
                notice=notice,
            ),
            phase=phase,
            version=row.version,
            step=step,
            fingerprint=_fingerprint(payload) if is_dossier else None,
            last=not row.steps if is_dossier else step == row.steps[-1]["step_no"],
            passes=self._passes(row, phase),
        )

    def _passes(self, row: Claimed, phase: Phase) -> int | None:
        if phase is Phase.DOSSIER:
            return None if self._takes_steps else row.last_step
        return None if self._takes_dossiers else row.version

    def _send_wave(self, wave: Sequence[_Outgoing], batch: int) -> set[int]:
        # What failed before is sent alone: a record that upsets the target must not take its neighbours along again.
        fresh = [message for message in wave if not message.row.attempts]
        suspect = [message for message in wave if message.row.attempts]
        affordable = self.gate.retries if suspect else 0
        self._gave_back |= len(suspect) > affordable
        return self._send(fresh, batch) | self._send(suspect[:affordable], 1)

    def _send(self, messages: Sequence[_Outgoing], batch: int) -> set[int]:
        """Send in portions whose intent is committed first; returns the dossiers whose message is at the target now."""
        accepted: set[int] = set()
        for portion in _portions(messages, self._intent_size(messages, batch)):
            if self.is_over() or self.gate.rest() is not None:
                self._gave_back = True
                break
            marked_at = time.monotonic()
            is_ours = delivery.mark_sending(
                self.context.engine,
                self.entry.system,
                owner=self.owner,
                lease_s=self.entry.lease_s,
                phase=portion[0].phase,
                messages=[(each.row.dossier_id, each.version, each.step) for each in portion],
            )
            if not is_ours:
                self._gave_back = True
                break
            by_key = {message.item.key: message for message in portion}
            verdicts = self.senders.send(
                [message.item for message in portion],
                portion[0].phase,
                batch=batch,
                begin_before=marked_at + self.entry.lease_s * _LEASE_SHARE,
                again=bool(portion[0].row.attempts),
            )
            self._gave_back |= len(verdicts) < len(portion)
            if portion[0].phase is Phase.DOSSIER:
                self._codes.accepted({key: each.row for key, each in by_key.items()}, verdicts)
            self._book([self._settlement(by_key[verdict.key], verdict) for verdict in verdicts])
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
        return max(_INTENT_AT_LEAST, batch * self.entry.concurrency * _INTENT_CALLS)

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
            passes=message.passes,
        )

    def _settle(self, settlements: Iterable[Settlement]) -> None:
        rows = list(settlements)
        if rows:
            self._book(rows)

    def _book(self, rows: Sequence[Settlement]) -> None:
        """Also for no rows at all: then nothing of what was marked went out."""
        delivery.settle(self.context.engine, self.entry.system, rows, owner=self.owner, patience=self._patience)
        self.counts.update(row.outcome for row in rows)


def _fingerprint(payload: Mapping[str, Any]) -> bytes:
    return hashlib.blake2b(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _portions(messages: Sequence[_Outgoing], size: int) -> Iterable[Sequence[_Outgoing]]:
    return (messages[start : start + size] for start in range(0, len(messages), size))
