"""The DAGs that the catalog gives, as Airflow sees them."""

import re
from pathlib import Path
from typing import Any

import pytest

from connectors.catalog import Catalog, load_catalog

OF_THE_LEDGER = {"upkeep_ledger", "redrive_ledger", "follow_ledger"}
Dags = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The project's own catalog."""
    return load_catalog()


def test_parsing_finds_no_error_and_no_warning(facts: dict[str, Any]) -> None:
    assert facts["import_errors"] == {}
    assert facts["warnings"] == {}


def test_parsing_touches_no_network_no_database_and_starts_no_program(facts: dict[str, Any]) -> None:
    assert facts["touched"] == []


def test_parsing_imports_nothing_that_does_the_work(facts: dict[str, Any]) -> None:
    assert not {"requests", "zeep", "lxml", "psycopg", "cryptography", "alembic"} & set(facts["modules"])


def test_every_system_has_its_dags_and_there_are_no_others(dags: Dags, catalog: Catalog) -> None:
    sources = {f"pull_{entry.system}" for entry in catalog.sources}
    targets = {f"{kind}_{entry.system}" for entry in catalog.targets for kind in ("push", "reconcile")}
    targets |= {f"catalogues_{entry.system}" for entry in catalog.targets if entry.catalogues}
    targets |= {f"reports_{entry.system}" for entry in catalog.targets if entry.reports}
    assert set(dags) == sources | targets | OF_THE_LEDGER


def test_catalogues_are_pulled_when_the_catalog_says(dags: Dags, catalog: Catalog) -> None:
    dag, rules = dags["catalogues_npsp"], catalog.target("npsp").catalogues
    assert rules is not None
    assert (dag["cron"], dag["zone"], dag["waits_for"]) == (rules.schedule, "Asia/Ho_Chi_Minh", [])


def test_reports_are_made_when_the_catalog_says_in_a_place_of_the_targets_pool(dags: Dags, catalog: Catalog) -> None:
    reported = [entry for entry in catalog.targets if entry.reports]
    assert {entry.system for entry in reported} == {"npsp", "province"}
    for entry in reported:
        dag = dags[f"reports_{entry.system}"]
        assert entry.reports is not None
        assert (dag["cron"], dag["zone"], dag["waits_for"]) == (entry.reports.schedule, "Asia/Ho_Chi_Minh", [])
        assert dag["tasks"]["report"]["pool"] == entry.pool


def test_every_dag_keeps_the_conventions(dags: Dags, catalog: Catalog) -> None:
    for dag_id, dag in dags.items():
        kind, _, system = dag_id.partition("_")
        agency = [] if dag_id in OF_THE_LEDGER else [f"agency:{catalog.entry(system).owner.agency}"]
        assert dag["tags"] == sorted(["hosync", kind, system, *agency]), dag_id
        assert dag["owner"] == "hosync", dag_id
        assert dag["catchup"] is False, dag_id
        assert dag["max_active_runs"] == 1, dag_id
        assert dag["start_date"].startswith("2019-12-31T17:00"), f"{dag_id}: not midnight in Vietnam"
        assert dag["file"] == f"{kind}.py"


def test_every_dag_explains_itself_in_vietnamese_and_english(dags: Dags, catalog: Catalog) -> None:
    for dag_id, dag in dags.items():
        vietnamese, _, english = dag["doc"].partition("\n---\n")
        if dag_id not in OF_THE_LEDGER:
            entry = catalog.entry(dag_id.partition("_")[2])
            assert entry.title.vi in vietnamese, dag_id
            assert entry.title.en in english, dag_id
        assert "Khi bị lỗi" in vietnamese, dag_id
        assert "When it fails" in english, dag_id
        for name in dag["params"]:
            assert f"`{name}`" in vietnamese, f"{dag_id}: {name} is not explained"
            assert f"`{name}`" in english, f"{dag_id}: {name} is not explained"
        assert not re.search(r"\{\w+\}", dag["doc"]), dag_id


def test_every_parameter_has_a_title_and_help_in_both_languages(dags: Dags) -> None:
    for dag_id, dag in dags.items():
        for name, param in dag["params"].items():
            for text in (param["title"], param["help"]):
                assert len(text.split(" / ")) == 2, f"{dag_id}.{name}"


def test_pulls_run_when_the_catalog_says_in_vietnamese_time(dags: Dags, catalog: Catalog) -> None:
    for entry in catalog.sources:
        dag = dags[f"pull_{entry.system}"]
        assert (dag["cron"], dag["zone"]) == (entry.schedule, "Asia/Ho_Chi_Minh")


def test_pushes_run_on_any_news_on_corrections_and_by_the_clock(dags: Dags, catalog: Catalog) -> None:
    news = [f"hosync/pulled/{entry.system}" for entry in catalog.sources]
    for entry in catalog.targets:
        dag = dags[f"push_{entry.system}"]
        assert (dag["timetable"], dag["condition"]) == ("AssetOrTimeSchedule", "AssetAny")
        assert dag["waits_for"] == sorted([*news, "hosync/redriven", f"hosync/heal/{entry.system}"])
        assert (dag["cron"], dag["zone"]) == (entry.schedule, "Asia/Ho_Chi_Minh")


def test_comparisons_run_after_deliveries_and_by_their_own_clock(dags: Dags, catalog: Catalog) -> None:
    for entry in catalog.targets:
        dag = dags[f"reconcile_{entry.system}"]
        assert dag["waits_for"] == [f"hosync/delivered/{entry.system}"]
        assert dag["cron"] == entry.reconcile.schedule


def test_the_follower_begins_again_whenever_it_has_ended_and_never_stands_in_the_way_of_itself(dags: Dags) -> None:
    dag = dags["follow_ledger"]
    assert (dag["timetable"], dag["max_active_runs"], dag["waits_for"]) == ("ContinuousTimetable", 1, [])
    assert dag["tasks"]["watch"]["retries"] == 0
    assert dag["params"]["minutes"]["default"] * 60 < dag["tasks"]["watch"]["timeout_s"]


def test_only_a_pull_can_be_backfilled(dags: Dags) -> None:
    for dag_id, dag in dags.items():
        if dag_id.startswith("pull_"):
            assert dag["run_types"] == [], dag_id
        else:
            assert dag["run_types"], dag_id
            assert "backfill" not in dag["run_types"], dag_id


def test_the_tasks_stand_in_their_order(dags: Dags) -> None:
    orders = {
        "pull": {"pull": ["window"], "window": ["summary"], "summary": []},
        "push": {"deliver": ["summary"], "summary": []},
        "reconcile": {"reconcile": ["announce"], "announce": []},
        "upkeep": {"make_partitions": []},
        "redrive": {"map_again": []},
        "follow": {"watch": []},
        "catalogues": {"pull_catalogues": []},
        "reports": {"report": []},
    }
    for dag_id, dag in dags.items():
        assert dag["scheduler_sees"] == orders[dag_id.partition("_")[0]], dag_id


def test_tasks_that_end_a_run_announce_what_was_done(dags: Dags) -> None:
    announced = {
        "pull": "hosync/pulled/{}",
        "push": "hosync/delivered/{}",
        "reconcile": "hosync/heal/{}",
        "redrive": "hosync/redriven",
        "follow": "hosync/followed",
    }
    for dag_id, dag in dags.items():
        if dag_id == "upkeep_ledger" or dag_id.startswith(("catalogues_", "reports_")):
            continue  # nothing waits for them
        kind, _, system = dag_id.partition("_")
        announcing = [name for name, task in dag["tasks"].items() if task["outlets"]]
        assert announcing == (["pull", "summary"] if kind == "pull" else [list(dag["tasks"])[-1]]), dag_id
        for name in announcing:
            assert dag["tasks"][name]["outlets"] == [announced[kind].format(system)], dag_id


def test_every_task_ends_some_day(dags: Dags) -> None:
    for dag_id, dag in dags.items():
        for name, task in dag["tasks"].items():
            assert 0 < task["timeout_s"] <= 6 * 3600, f"{dag_id}.{name}"


def test_windows_are_mapped_named_and_never_crowd_a_source(dags: Dags, catalog: Catalog) -> None:
    for entry in catalog.sources:
        task = dags[f"pull_{entry.system}"]["tasks"]["window"]
        assert task["pool"] == entry.pool
        assert task["mapped"]
        assert "label" in task["label"]


def test_what_talks_to_a_system_waits_for_a_place_in_its_pool(dags: Dags, catalog: Catalog) -> None:
    tasks = {"pull": "pull", "push": "deliver", "reconcile": "reconcile"}
    for entry in catalog:
        for kind in ("pull",) if entry in catalog.sources else ("push", "reconcile"):
            assert (
                dags[f"{kind}_{entry.system}"]["tasks"][tasks[kind]]["pool"] == entry.pool == f"hosync_{entry.system}"
            )


def test_a_push_is_shared_by_as_many_workers_as_the_catalog_says(dags: Dags, catalog: Catalog) -> None:
    for entry in catalog.targets:
        assert dags[f"push_{entry.system}"]["tasks"]["deliver"]["mapped"]


def test_a_task_is_tried_again_only_when_that_can_help(facts: dict[str, Any]) -> None:
    assert facts["decisions"] == {
        "NotSent": "retry",
        "Throttled": "retry",
        "OutcomeUnknown": "retry",
        "BrokenAnswer": "retry",
        "Refused": "fail",
        "SignInFailed": "fail",
        "ContractBroken": "fail",
        "MappingError": "fail",
        "AlreadyRunning": "retry",
        "LedgerUnavailable": "retry",
        "PageContended": "retry",
        "WrongDataKey": "fail",
        "RunSuperseded": "fail",
        "IncompleteRun": "retry",
        "SyncError": "fail",
        "OperationalError": "retry",
        "KeyError": "default",
    }


def test_every_task_decides_by_the_same_rules(facts: dict[str, Any], dags: Dags) -> None:
    for dag_id, dag in dags.items():
        for name, task in dag["tasks"].items():
            assert task["policy"] == facts["policy"], f"{dag_id}.{name}"


def test_two_parses_give_the_same_dags_to_the_last_byte(facts: dict[str, Any], inspector: Any) -> None:
    again = inspector(PYTHONHASHSEED="7", TZ="America/Lima")
    assert facts["unstable"] == {}
    for dag_id, dag in facts["dags"].items():
        assert dag["fingerprint"] == again["dags"][dag_id]["fingerprint"], dag_id


def test_a_task_process_builds_its_own_dag_only(inspector: Any, catalog: Catalog) -> None:
    wanted = f"push_{catalog.targets[0].system}"
    assert list(inspector(_AIRFLOW_PARSING_CONTEXT_DAG_ID=wanted)["dags"]) == [wanted]


def test_two_hundred_systems_give_their_dags(inspector: Any, many_systems: Path) -> None:
    facts = inspector(HOSYNC_CATALOG=str(many_systems))
    assert facts["import_errors"] == {}
    assert facts["touched"] == []
    assert len(facts["dags"]) == 150 + 4 * 50 + len(OF_THE_LEDGER)
    assert (
        len(facts["dags"]["push_system_003"]["waits_for"]) == 150 + 2
    )  # news of each source, of the re-drive, and its own corrections


def test_a_system_without_a_schedule_runs_only_by_hand(inspector: Any, tmp_path: Path, catalog: Catalog) -> None:
    for entry in catalog:
        text = (catalog.folder / f"{entry.system}.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{entry.system}.yaml").write_text(re.sub(r"(?m)^schedule:.*$", "schedule: null", text))
    dags = inspector(HOSYNC_CATALOG=str(tmp_path))["dags"]
    assert dags[f"pull_{catalog.sources[0].system}"]["timetable"] == "NullTimetable"
    assert dags[f"push_{catalog.targets[0].system}"]["run_types"] == ["manual"]


def test_a_mistake_in_a_catalog_file_is_shown_with_its_line_and_stops_that_system_alone(
    inspector: Any, tmp_path: Path, catalog: Catalog
) -> None:
    wrong, right = catalog.sources[:2]
    for entry in (wrong, right):
        text = (catalog.folder / f"{entry.system}.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{entry.system}.yaml").write_text(
            text.replace("precedence:", "precedense:") if entry is wrong else text
        )
    seen = inspector(HOSYNC_CATALOG=str(tmp_path))
    assert set(seen["import_errors"]) == {"catalog.py"}
    assert re.search(rf"{wrong.system}\.yaml:\d+: precedense: unknown key", seen["import_errors"]["catalog.py"])
    assert {dag_id for dag_id in seen["dags"] if dag_id.startswith("pull_")} == {f"pull_{right.system}"}
