"""Whether everything is done, and if not, what is missing: decided from a picture of the moment, nothing else.

Done means: every pull of this start succeeded, nothing is left to deliver, and each target was compared completely
after its last delivery, and has got its reports. A quiet system does not start all that by itself, so a picture may
also call for a nudge: a push where something is due and nobody works on it, a comparison where the last one is too old,
reports where nothing is missing but those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cli.up.airflow_api import DagRun, RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """One source: the run that this start has triggered, and what its pulls since then stored."""

    system: str
    run: DagRun
    counts: Mapping[str, int]  # fetched, new, changed, unchanged, stale, quarantined
    error: str | None = None  # what the ledger noted about a pull that broke off

    @property
    def is_balanced(self) -> bool:
        """Promise 1: every record that was fetched went somewhere."""
        return self.counts.get("fetched", 0) == sum(n for name, n in self.counts.items() if name != "fetched")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One finished comparison with a target."""

    began_at: datetime
    is_complete: bool
    ours: int
    theirs: int
    matched: int
    in_flight: int
    breaks: Mapping[str, int]

    @property
    def unproven(self) -> int:
        """Dossiers that were too fresh to judge: neither seen to agree nor to differ."""
        return max(0, self.ours - self.matched - sum(self.breaks.values())) if self.in_flight else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """The reports of one kind to one target."""

    kind: str
    last_month: date
    sent: int
    left: int
    refused: int
    given_up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One target. ``last_delivery_at`` is the last acknowledgement ever."""

    target: str
    delivered: int
    due: int
    sending: int
    in_doubt: int
    refused: int
    given_up: int  # messages whose outcome nobody will ever know
    last_delivery_at: datetime | None
    can_be_asked: bool  # what it holds; where not, nothing is ever compared
    compared: Compared | None
    open_breaks: int
    push: DagRun | None  # the newest run of its push, of its comparison, and of its reports
    reconcile: DagRun | None
    reports: DagRun | None = None
    takes_reports: bool = False
    reported: Sequence[Reported] = ()

    @property
    def unsettled(self) -> int:
        """Dossiers that are not where they should be yet, and not refused for good."""
        return self.due + self.sending + self.in_doubt

    def is_reported(self, since: datetime) -> bool:
        """Whether its reports were counted and sent after that moment; nothing is waited for where it takes none."""
        last = self.reports
        if not self.takes_reports:
            return True
        return last is not None and last.state is RunState.SUCCESS and (last.started_at or since) >= since

    def is_compared(self, since: datetime) -> bool:
        """Whether a complete comparison of everything began after that moment and after the last delivery.

        Nothing is waited for where a target cannot be asked.
        """
        if not self.can_be_asked:
            return True
        latest = max(since, self.last_delivery_at or since)
        seen = self.compared
        return seen is not None and seen.is_complete and seen.began_at >= latest and not seen.unproven


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that the decision needs. ``began_at``: when this start triggered its pulls."""

    began_at: datetime
    pulls: Sequence[Pulled]
    targets: Sequence[Delivered]

    @property
    def since(self) -> datetime:
        """Comparisons count from here on: after this start's last pull."""
        return max([self.began_at, *(pull.run.ended_at for pull in self.pulls if pull.run.ended_at)])

    @property
    def failed_pulls(self) -> list[Pulled]:
        """Pulls of which nothing more will come."""
        return [pull for pull in self.pulls if pull.run.state is RunState.FAILED]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something for a person, as a message of the catalogue with its values."""

    text: str
    values: Mapping[str, object]


_IN_FLIGHT = "{target}: {number} dossiers were in flight"
_NOT_COMPARED = "{target}: not compared since the last delivery"


def missing(picture: Picture) -> list[Remark]:
    """What is not done yet; empty when all is done."""
    remarks = [
        Remark("{dag}: {state}", {"dag": pull.run.dag_id, "state": pull.run.state.value})
        for pull in picture.pulls
        if pull.run.state is not RunState.SUCCESS
    ]
    for target in picture.targets:
        if target.unsettled:
            counts = {"due": target.due, "sending": target.sending, "doubt": target.in_doubt}
            remarks.append(
                Remark(
                    "{target}: {due} due, {sending} being sent, {doubt} in doubt", {"target": target.target, **counts}
                )
            )
        elif not target.is_compared(picture.since):
            fresh = target.compared.unproven if target.compared else 0
            text = (
                "{target}: {number} dossiers were in flight"
                if fresh
                else "{target}: not compared since the last delivery"
            )
            remarks.append(Remark(text, {"target": target.target, "number": fresh}))
        elif not target.is_reported(picture.since):
            remarks.append(Remark("{target}: the reports are not sent yet", {"target": target.target}))
        else:
            continue
        remarks += [
            Remark("{dag}: {state}", {"dag": run.dag_id, "state": run.state.value})
            for run in (target.push, target.reconcile, target.reports)
            if run and run.state is RunState.FAILED
        ]
    return remarks


def wrong(picture: Picture) -> list[Remark]:
    """What is not as it should be although all is done."""
    remarks = [
        Remark("{dag}: the numbers do not add up", {"dag": pull.run.dag_id})
        for pull in picture.pulls
        if not pull.is_balanced
    ]
    for target in picture.targets:
        if target.open_breaks:
            remarks.append(Remark("{target}: {number} open breaks", _number(target, target.open_breaks)))
        if target.refused:
            remarks.append(Remark("{target}: {number} dossiers refused for good", _number(target, target.refused)))
        if refused := sum(each.refused for each in target.reported):
            remarks.append(Remark("{target}: {number} reports refused", _number(target, refused)))
    return remarks


def worth_knowing(picture: Picture) -> list[Remark]:
    """What is as it must be, and yet a person should have heard of it."""
    remarks = [
        Remark("{target}: {number} messages given up in doubt", _number(target, target.given_up))
        for target in picture.targets
        if target.given_up
    ]
    return remarks + [
        Remark("{target}: {number} reports given up in doubt", _number(target, given_up))
        for target in picture.targets
        if (given_up := sum(each.given_up for each in target.reported))
    ]


def _number(target: Delivered, number: int) -> Mapping[str, object]:
    return {"target": target.target, "number": number}


def nudges(picture: Picture) -> list[str]:
    """DAGs to trigger because nothing else will soon: none while a pull or the target's own runs are under way."""
    if any(pull.run.state is not RunState.SUCCESS for pull in picture.pulls):
        return []
    wanted = []
    for target in picture.targets:
        if _is_active(target.push) or _is_active(target.reconcile):
            continue
        if target.unsettled:
            wanted.append(f"push_{target.target}")
        elif not target.is_compared(picture.since):
            wanted.append(f"reconcile_{target.target}")
        elif not target.is_reported(picture.since) and not _is_active(target.reports):
            wanted.append(f"reports_{target.target}")
    return wanted


def _is_active(run: DagRun | None) -> bool:
    return run is not None and run.state.is_active
