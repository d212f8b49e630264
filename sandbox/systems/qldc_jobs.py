"""Lists that are made as jobs: ordered, asked about until they are done, fetched, deleted.

A job waits for one or two questions about it and is done when the next one comes. Its result is what the register held
when it was ordered, and is kept for a while. Jobs live in memory: a restart forgets them.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from sandbox.systems.register import Snapshot


class JobState(StrEnum):
    """How far a job is, in the words of the service."""

    WAITING = "CHO_XU_LY"
    RUNNING = "DANG_XU_LY"
    DONE = "HOAN_THANH"
    FAILED = "LOI"
    EXPIRED = "HET_HAN"


@dataclass(slots=True, kw_only=True)
class Job:
    """One list: the positions ``first`` to ``stop`` (exclusive) of the snapshot's changes."""

    snapshot: Snapshot
    first: int
    stop: int
    patience: int
    ordered: datetime
    fails: bool
    state: JobState = JobState.WAITING

    @property
    def total(self) -> int:
        """How many dossiers are in the list."""
        return self.stop - self.first

    def page(self, number: int, size: int) -> list[int]:
        """The dossiers of page ``number`` (from 1)."""
        begin = self.first + (number - 1) * size
        return self.snapshot.changes.numbers(begin, min(begin + size, self.stop))


class Jobs:
    """The jobs of one server; may be used from several threads. Times are passed in."""

    def __init__(self, lifetime: timedelta) -> None:
        self._lifetime = lifetime
        self._jobs: dict[str, Job] = {}
        self._ordered = 0
        self._failing = 0
        self._lock = threading.Lock()

    def order(self, snapshot: Snapshot, first: int, stop: int, now: datetime) -> str:
        """A new job's id; every second one takes twice as long."""
        with self._lock:
            self._ordered += 1
            fails, self._failing = self._failing > 0, max(0, self._failing - 1)
            job = str(uuid4())
            self._jobs[job] = Job(
                snapshot=snapshot,
                first=first,
                stop=max(first, stop),
                patience=1 + self._ordered % 2,
                ordered=now,
                fails=fails,
            )
            return job

    def ask(self, job: str, now: datetime) -> Job | None:
        """The job, a little further each time; None when there is none."""
        with self._lock:
            found = self._current(job, now)
            if found is not None and found.state in (JobState.WAITING, JobState.RUNNING):
                if found.patience > 0:
                    found.patience -= 1
                    found.state = JobState.WAITING if found.patience else JobState.RUNNING
                else:
                    found.state = JobState.FAILED if found.fails else JobState.DONE
            return found

    def look_at(self, job: str, now: datetime) -> Job | None:
        """The job as it is; None when there is none."""
        with self._lock:
            return self._current(job, now)

    def delete(self, job: str) -> bool:
        """Forget the job; False when there is none."""
        with self._lock:
            return self._jobs.pop(job, None) is not None

    def forget_all(self) -> None:
        """As after a restart."""
        with self._lock:
            self._jobs.clear()

    def expire_all(self) -> None:
        """No list made so far can be fetched any more."""
        with self._lock:
            for job in self._jobs.values():
                job.state = JobState.EXPIRED

    def fail_next(self, count: int) -> None:
        """The next ``count`` jobs fail."""
        with self._lock:
            self._failing = count

    def states(self) -> dict[str, str]:
        """Every job with its state."""
        with self._lock:
            return {job: found.state.value for job, found in self._jobs.items()}

    def _current(self, job: str, now: datetime) -> Job | None:
        found = self._jobs.get(job)
        if found is not None and now - found.ordered > self._lifetime:
            found.state = JobState.EXPIRED
        return found
