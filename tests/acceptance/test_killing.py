"""P1, P3: a reader that is killed at any page, or thrown out by the system, loses nothing and doubles nothing."""

from __future__ import annotations

import itertools
import json
import os
import signal
from datetime import timedelta

import pytest
from kit import SYSTEMS, Bench, System, catalog
from processes import PROCESSES

from connectors.catalog_models import SourceProtocol
from ledger.engine import open_engine
from ledger.sealing import Sealer

_MOST_RUNS = 60


def _pull_until(system: System, url: str, key: bytes, pages: int) -> None:
    """Pull in a process of its own, which kills itself with SIGKILL once ``pages`` pages are stored."""
    os.environ.update(system.connections)
    left = itertools.count(pages - 1, -1)

    def one_page() -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Bench.of(system, open_engine(url), Sealer(key)).pull(on_page=one_page)


def _run_until(system: System, url: str, key: bytes, pages: int) -> int:
    process = PROCESSES.Process(target=_pull_until, args=(system, url, key, pages))
    process.start()
    process.join(120)
    assert process.exitcode is not None, "the reader neither ends nor dies"
    return process.exitcode


def test_killed_at_every_page_it_resumes_and_loses_nothing(
    bench: Bench, own_database_url: str, data_key: bytes
) -> None:
    bench.pull_homes()
    bench.wait_for_calls()
    for pages in range(1, _MOST_RUNS):
        exit_code = _run_until(bench.system, own_database_url, data_key, pages)
        if exit_code == 0:
            break
        assert exit_code == -signal.SIGKILL
    assert exit_code == 0
    assert pages > 1, "it was never killed, so this proves nothing"
    bench.pull()  # what a dead reader was handed, and had not acknowledged, comes again
    bench.assert_agrees()


def _is_asked(name: str) -> bool:
    """Whether we talk to the system; nobody is asked where files are dropped or we are called."""
    return catalog().source(name).protocol not in (SourceProtocol.FILES, SourceProtocol.INBOUND)


@pytest.mark.parametrize("mode", ["drop", "503", "cut", "html-200"])
@pytest.mark.parametrize("system", filter(_is_asked, SYSTEMS), indirect=True)
def test_a_passing_fault_on_the_way_is_got_over(bench: Bench, mode: str) -> None:
    bench.pull_homes()
    bench.disturb(mode, times=2)
    bench.pull_until_it_works()
    bench.calm()
    bench.assert_agrees()


def _has_sessions(name: str) -> bool:
    options = json.dumps(catalog().source(name).options.model_dump(mode="json"))
    return name in ("gplx", "igate") or any(f'"{kind}"' in options for kind in ("oauth2", "lgsp", "session"))


@pytest.mark.parametrize("system", filter(_has_sessions, filter(_is_asked, SYSTEMS)), indirect=True)
def test_a_session_that_ends_in_the_middle_is_renewed(bench: Bench) -> None:
    bench.pull_homes()
    ended = iter(range(3))

    def end_session() -> None:
        if next(ended, None) is not None:
            bench.disturb("expire-sessions")

    bench.pull(on_page=end_session)
    bench.assert_agrees()
    bench.system.live_on(timedelta(days=1))
    bench.disturb("expire-sessions")
    bench.pull_homes()
    bench.pull()
    bench.assert_agrees()
