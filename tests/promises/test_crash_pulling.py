"""P1 and P3: a pull is killed at every point at which it touches the world, and the ledger shows nothing of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
import requests
from crashing import Hosync, killed_everywhere, warm
from living_province import Province
from sources_under_fire import Pulls, planted, with_small_pages
from sqlalchemy import Engine

from ledger.sealing import Sealer

pytestmark = pytest.mark.timeout(300)
SOURCES = ("xaydung", "dkkd", "igate", "tanso", "giaoduc", "thuy", "congthuong")
PROVINCE_SIZE = 400
_MESSAGES = 4
_LACKED = "H12.04-260101-9999"


@pytest.fixture(scope="module")
def hosync(province: Province, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosync]:
    """A warm `hosync` beside the province, with so small pages that there are about three of them."""
    sizes = {system: -(-len(province.lines(system, "truth")) // 3) for system in SOURCES}
    sizes |= {"congthuong": 1, "tanso": 2}
    # What a cursor has passed by wrongly must not come again by the overlap alone.
    changed = {system: {"page_size": size, "overlap": "1m"} for system, size in sizes.items()}
    environment = with_small_pages(province.environment, tmp_path_factory.mktemp("small") / "catalog", changed)
    with warm(environment, files=province.home) as started:
        yield started


@pytest.mark.parametrize("system", ["xaydung", "dkkd", "igate"])  # REST, SOAP, newest first
def test_p1_p3_a_pull_killed_anywhere_leaves_what_a_pull_in_peace_leaves(
    system: str, province: Province, engine: Engine, hosync: Hosync
) -> None:
    killed_everywhere(hosync, Pulls(system, province, engine))


@pytest.mark.parametrize("system", ["giaoduc", "thuy"])  # a folder, SFTP
def test_p1_p3_files_whose_reader_is_killed_anywhere_are_read_whole(
    system: str, province: Province, engine: Engine, hosync: Hosync
) -> None:
    killed_everywhere(hosync, Pulls(system, province, engine, before=lambda: _drop(province, system)))


def _drop(province: Province, system: str) -> None:
    province.ask(system, "drop", {"all": True})


def test_p1_p3_what_a_snapshot_lacks_is_known_wherever_its_reader_is_killed(
    province: Province, engine: Engine, sealer: Sealer, hosync: Hosync
) -> None:
    def before() -> None:
        planted(engine, sealer, "congthuong", _LACKED)
        _drop(province, "congthuong")

    story = Pulls("congthuong", province, engine, before=before, tells_all=False)
    killed_everywhere(hosync, story)
    assert [row.code for row in story.content["disappeared"]] == [_LACKED]
    assert {*story.held} > {_LACKED}


def test_p1_p3_a_message_is_acknowledged_only_after_it_is_stored(
    province: Province, engine: Engine, hosync: Hosync
) -> None:
    url = f"http://127.0.0.1:{province.ports['tanso']}"
    at = json.loads(province.environment["AIRFLOW_CONN_TANSO"])

    def before() -> None:
        """Only the last few are left in the mailbox."""
        with requests.Session() as session:
            session.delete(f"{url}/_sandbox/messages").raise_for_status()
            basic = base64.b64encode(f"{at['login']}:{at['password']}".encode()).decode()
            form = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
            token = session.post(f"{url}/token", "grant_type=client_credentials", headers=form).json()["access_token"]
            session.headers["Authorization"] = f"Bearer {token}"
            listed = session.get(f"{url}/getListDossier", params={"unit_code": at["extra"]["unit_code"]}).json()
            for message in listed["profileReceivers"][:-_MESSAGES]:
                query = {"profile_id": str(message["profileId"]), "status": "done"}
                session.post(f"{url}/updateStatusReceiver", params=query).raise_for_status()

    story = Pulls("tanso", province, engine, before=before, tells_all=False, is_a_queue=True)
    killed_everywhere(hosync, story)
    left = json.loads(province.ask("tanso", "messages"))
    assert left["sent"] == left["acknowledged"] > _MESSAGES
    truth = {row["code"]: row["state"] for row in province.lines("tanso", "truth")}
    assert story.held.items() <= truth.items()
    assert story.held
