"""A ledger of one dossier in memory, for properties of judging over many orders of the same pages."""

from datetime import datetime

from ledger_world import at

from ledger.judging import Judgement, Known, StepRow, SystemReading, judge
from ledger.reading import Reading, read
from ledger.sealing import Sealer
from schemas.dossier import Dossier, Progress

SEALER = Sealer(bytes(32))
FETCHED = at(100)


def reading(
    record: Dossier | Progress, position: int = 0, fetched_at: datetime = FETCHED, mapping_no: int = 1
) -> Reading:
    """A record as the first thing that is made of it."""
    return read(record, position, fetched_at, SEALER, mapping_version=f"{mapping_no}-0")


class Memory:
    """Applies judgements as the database does."""

    def __init__(self) -> None:
        self.known: Known | None = None
        self.steps: list[StepRow] = []
        self.versions = 0

    def page(
        self,
        *records: Dossier | Progress,
        system: str = "gplx",
        precedence: int = 10,
        fetched_at: datetime = FETCHED,
        mapping_no: int = 1,
    ) -> Judgement:
        """A page of one system that speaks of this dossier only."""
        readings = [reading(record, number, fetched_at, mapping_no) for number, record in enumerate(records)]
        judged = judge(self.known, readings, system, precedence)
        assert len({step.key for step in judged.steps}) == len(judged.steps)
        self._keep(judged)
        for step in judged.steps:
            same = [each for each in self.steps if each.key == step.key]
            if not same:
                self.steps.append(step)
            elif same[0].step_no is None and step.step_no is not None:
                self.steps[self.steps.index(same[0])] = step
        return judged

    def _keep(self, judged: Judgement) -> None:
        after = judged.after
        if self.known is None:
            assert after is not None
            self.known = Known(
                1, judged.mine, (), after.state, after.last_step, after.last_step_at, after.illegal_jumps
            )
            self.versions = 1
            return
        guests = {guest.system: guest for guest in self.known.guests}
        home = self.known.home
        if judged.keep and judged.is_home:
            home = judged.mine
            guests.pop(home.system, None)
        elif judged.keep:
            guests[judged.mine.system] = judged.mine
        if judged.former_home:
            guests[judged.former_home.system] = judged.former_home
        self.known = self.known._replace(home=home, guests=tuple(guests.values()))
        if after:
            self.versions += 1
            self.known = self.known._replace(
                state=after.state,
                last_step=after.last_step,
                last_step_at=after.last_step_at,
                illegal_jumps=after.illegal_jumps,
            )

    @property
    def final(self) -> tuple[SystemReading, int]:
        """The home's reading and the state, leaving out when the state was first seen."""
        assert self.known is not None
        return self.known.home._replace(event_at=at(0)), self.known.state

    def numbered(self) -> list[StepRow]:
        """The steps that targets are told."""
        return sorted((step for step in self.steps if step.step_no is not None), key=lambda step: step.step_no or 0)
