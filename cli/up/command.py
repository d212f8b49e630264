"""The course of `hosync up`: start everything, follow the dossiers to their targets, say how it went, stay or end."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.errors import ExitCode
from cli.explain import show
from cli.output import Output
from cli.up import course, pictures
from cli.up.airflow_api import AirflowApi
from cli.up.errors import Interrupted, OutOfTime, UpError
from cli.up.home import Home
from cli.up.machine import Machine, Options, Running
from cli.up.pools import Pools
from cli.up.screen import Screen, Stage
from cli.up.signals import StopSignals
from cli.up.watch import Watch
from connectors.catalog import load_catalog

if TYPE_CHECKING:
    from cli.up.course import Picture, Remark

_DAGS_LIMIT_S = 120.0
_LOOK_EVERY_S = 1.0
_WAKING_S = 8.0  # so long may Airflow take to begin the run of a DAG that was just woken
_QUIET_S = 10.0  # so long must nothing happen before we start what nothing else starts
_LONGEST_QUIET_S = 40.0
_INTERRUPTED = 130
_FOLLOW = "follow_ledger"


def run(output: Output, options: Options) -> int:
    """Carry out `hosync up`; returns the exit code. Raises ``UserError`` for what a person must act on."""
    load_catalog().whole()  # one that is wrong is told before anything starts
    home = Home.at(options.home)
    signals = StopSignals()
    screen = Screen(output.out, output.texts)
    is_settled = False
    with home.held(), signals.installed():
        machine = Machine(home, options=options, screen=screen, signals=signals)
        try:
            with machine.running() as running:
                session = _Session(output, options, screen, machine, running)
                is_good = session.follow()
                is_settled = True
                if not options.once:
                    session.stay()
        except Interrupted:
            return int(ExitCode.OK) if is_settled else _INTERRUPTED
    return int(ExitCode.OK if is_good else ExitCode.FAILED)


class _Session:
    """From healthy to the end."""

    def __init__(self, output: Output, options: Options, screen: Screen, machine: Machine, running: Running) -> None:
        self._output = output
        self._options = options
        self._screen = screen
        self._machine = machine
        self._running = running
        self._api = AirflowApi(running.airflow.url, user="admin", password=running.secrets["HOSYNC_ADMIN_PASSWORD"])
        self._pools = Pools(self._api)
        self._begun = time.monotonic()
        os.environ.update(running.environment)  # sync and ledger read where they work from here

    def follow(self) -> bool:
        """Trigger the pulls and watch until all is done. Returns whether all is as it should be."""
        texts = self._output.texts
        running, api = self._running, self._api
        api.sign_in()
        with Watch.opened(api) as watch, self._screen.live():
            self._await_dags(api, watch.dag_ids)
            if api.dags().get(_FOLLOW) is False:  # awake since an earlier start: first everything is pulled once
                api.pause([_FOLLOW])
            self._pools.keep_up()
            began_at = datetime.now(UTC)
            self._screen.note(texts("Everything is ready after {seconds:.0f} s.", seconds=self._machine.age_s))
            self._screen.fold()
            self._begin_pulls(api, watch, began_at)
            problem, picture = self._until_done(api, watch)
        self._output.out.print(pictures.summary(texts, picture))
        self._output.out.print(pictures.where_to_look(texts, running))
        for remark in course.worth_knowing(picture):
            self._output.out.print(texts(remark.text, **remark.values), style="yellow")
        problem = problem or self._disagreement(picture)
        if problem and self._options.once:
            raise problem
        if problem:
            show(problem, self._output.err, texts)
        else:
            self._output.out.print(
                texts("Ours and theirs agree: {seconds:.0f} s from start to finish.", seconds=self._machine.age_s),
                style="bold green",
            )
        return problem is None

    def stay(self) -> None:
        """Follow the sources, and keep everything running until a signal comes or something dies."""
        if _FOLLOW in self._api.dags():
            self._api.unpause([_FOLLOW])
            self._output.out.print(
                self._output.texts("From now on what changes in a source is at the targets within a minute.")
            )
        self._output.out.print(self._output.texts("Running. Ctrl-C stops everything."), style="bold")
        try:
            while True:
                self._machine.require_alive()
                with suppress(UpError):  # it does not answer at the moment: then again
                    self._pools.keep_up()
                time.sleep(0.5)
        except Interrupted:
            with suppress(UpError):  # or the next start would begin with it
                self._api.pause([_FOLLOW])
            raise

    def _await_dags(self, api: AirflowApi, wanted: Sequence[str]) -> None:
        self._screen.set("DAGs", Stage.STARTING)
        deadline = time.monotonic() + _DAGS_LIMIT_S
        while absent := sorted(set(wanted) - set(api.dags())):
            if broken := api.import_errors():
                raise UpError(
                    "Airflow could not read " + "; ".join(f"{file}: {why}" for file, why in broken.items()),
                    where=str(self._options.dags),
                    next_step="Correct the file, then start again.",
                )
            if time.monotonic() > deadline:
                raise UpError(
                    f"Airflow did not find {', '.join(absent)}.",
                    where=str(self._options.dags),
                    next_step="Read logs/dag-processor.log in the home folder.",
                )
            self._pause(0.5)
        self._screen.set("DAGs", Stage.READY)

    def _begin_pulls(self, api: AirflowApi, watch: Watch, began_at: datetime) -> None:
        """One run per source. A source that is asked about dossiers of others begins once those have been pulled."""
        systems = watch.systems
        asked_about = {entry.system: entry.pull.open_list for entry in load_catalog().sources if entry.pull.open_list}
        first = [system for system in systems if system not in asked_about]
        pulls = {f"pull_{system}" for system in systems}
        paused = {dag_id for dag_id, is_paused in api.dags().items() if is_paused}
        api.unpause(sorted(paused - pulls - {_FOLLOW}))  # what reacts to a pull must be awake before it
        begun = self._wake(api, first, began_at)
        watch.begin(began_at, begun)
        homes = {f"pull_{home}" for asked in asked_about.values() for home in asked.home} & set(
            map("pull_{}".format, first)
        )
        deadline = time.monotonic() + self._options.deadline_s
        while homes and time.monotonic() < deadline:
            ended = {run.dag_id for run in api.runs(sorted(homes), since=began_at) if not run.state.is_active}
            homes -= ended
            self._show(watch)
            self._pause(_LOOK_EVERY_S)
        begun |= self._wake(api, [system for system in systems if system in asked_about], began_at)
        watch.begin(began_at, begun)

    def _wake(self, api: AirflowApi, systems: Sequence[str], began_at: datetime) -> dict[str, str]:
        """One run each: the one that Airflow begins by itself when a DAG is woken, or one that we trigger."""
        pulls = {f"pull_{system}": system for system in systems}
        paused = {dag_id for dag_id, is_paused in api.dags().items() if is_paused}
        api.unpause(sorted(paused & set(pulls)))
        deadline = time.monotonic() + _WAKING_S
        while True:
            begun = {run.dag_id: run.run_id for run in api.runs(list(pulls), since=began_at)}
            silent = set(pulls) - set(begun)
            if not silent & paused or time.monotonic() > deadline:
                break
            self._pause(_LOOK_EVERY_S)
        begun |= {dag_id: api.trigger(dag_id) for dag_id in sorted(silent)}
        return {pulls[dag_id]: run_id for dag_id, run_id in begun.items()}

    def _until_done(self, api: AirflowApi, watch: Watch) -> tuple[UpError | None, Picture]:
        quiet_since, patience_s = time.monotonic(), _QUIET_S
        before: list[str] = []
        while True:
            self._pools.keep_up()
            picture = self._show(watch)
            left = course.missing(picture)
            if not left:
                return None, picture
            if picture.failed_pulls:
                return self._pull_failed(picture), picture
            if self._options.once and time.monotonic() - self._begun > self._options.deadline_s:
                return self._out_of_time(left), picture
            wanted = course.nudges(picture)
            if wanted != before:
                before, quiet_since = wanted, time.monotonic()
            elif wanted and time.monotonic() - quiet_since > patience_s:
                for dag_id in wanted:
                    api.trigger(dag_id)
                # It may have to wait for something, such as the lease of a worker that died: ask ever more seldom.
                before, patience_s = [], min(2 * patience_s, _LONGEST_QUIET_S)
            self._pause(_LOOK_EVERY_S)

    def _show(self, watch: Watch) -> Picture:
        """Show how far all has come."""
        picture = watch.look()
        self._screen.show(
            pictures.progress(self._output.texts, picture, watch.rates()),
            lines=pictures.lines(self._output.texts, picture),
        )
        return picture

    def _pull_failed(self, picture: Picture) -> UpError:
        failed = picture.failed_pulls[0]
        return UpError(
            f"{failed.run.dag_id} failed{f': {failed.error}' if failed.error else ''}",
            where=f"{self._running.airflow.url}/dags/{failed.run.dag_id}/runs/{failed.run.run_id}",
            next_step="Open that page: the log of the red task says what is wrong and what to do.",
        )

    def _disagreement(self, picture: Picture) -> UpError | None:
        found = course.wrong(picture)
        if not found:
            return None
        return UpError(
            self._in_words(found),
            where=self._running.airflow.url + pictures.MONITOR_PATH,
            next_step=self._output.texts("Open that page: it shows every case and what to do about it."),
        )

    def _in_words(self, remarks: Sequence[Remark]) -> str:
        return "; ".join(self._output.texts(remark.text, **remark.values) for remark in remarks)

    def _out_of_time(self, left: Sequence[Remark]) -> UpError:
        minutes = self._options.deadline_s / 60
        return OutOfTime(
            f"Not done after {minutes:.0f} minutes. Missing: {self._in_words(left)}.",
            where=self._running.airflow.url,
            next_step="Start again: it goes on where it stopped. Or give more time with --deadline.",
        )

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._machine.tick()
            time.sleep(0.1)
