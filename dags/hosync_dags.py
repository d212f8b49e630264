"""What the DAG files share: names, assets, defaults, retry rules, and which DAGs this process needs.

It lies beside the DAG files because only the processes that parse DAGs or run tasks need it, and Airflow puts this
folder on ``sys.path`` in exactly those. So nothing that Airflow stores by import path (timetables, callbacks, retry
policies) may be defined here: the scheduler and the API server could not import it.

Every parse and every task starts with this module: it must cost next to nothing and touch no network and no database.
Whatever does the work is imported inside the task functions.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import Asset, AssetAlias, ExceptionRetryPolicy, RetryAction, RetryRule, get_parsing_context
from airflow.sdk.exceptions import AirflowSkipException

from schemas.times import VN

if TYPE_CHECKING:
    from connectors.catalog import SourceEntry, TargetEntry

ZONE = str(VN)
START = datetime(2020, 1, 1, tzinfo=VN)  # how far back a backfill may reach; nothing is caught up by itself

_FIX = "Cần người xử lý trước, xem thông báo lỗi / a person must act first, see the error"
_LATER = "Hệ thống bên kia tạm thời không trả lời / the other system does not answer for now"
_BUSY = "Lượt chạy khác chưa xong, hoặc cơ sở dữ liệu bận / another run is not done, or the database is busy"

# Connectors have already repeated single calls within their time limit. These rules only decide whether the whole
# task is worth another try: in a few minutes when the other side is down, never when a person must act first.
RETRY_RULES = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[
                "ledger.errors.AlreadyRunning",
                "ledger.errors.LedgerUnavailable",
                "ledger.errors.PageContended",
                "sqlalchemy.exc.OperationalError",
            ],
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=1),
            reason=_BUSY,
        ),
        RetryRule(
            exception=["connectors.errors.NotSent", "connectors.errors.OutcomeUnknown", "sync.errors.IncompleteRun"],
            action=RetryAction.RETRY,
            retry_delay=timedelta(minutes=3),
            reason=_LATER,
        ),
        RetryRule(
            exception=[
                "connectors.errors.ConnectorError",
                "mappings.errors.MappingError",
                "ledger.errors.LedgerError",
                "sync.errors.SyncError",
            ],
            action=RetryAction.FAIL,
            reason=_FIX,
        ),
    ]
)

DEFAULT_ARGS: Mapping[str, Any] = {
    "owner": "hosync",
    "retries": 3,
    "retry_delay": timedelta(minutes=2),
    "retry_policy": RETRY_RULES,
    "execution_timeout": timedelta(minutes=10),
}


def is_wanted(dag_id: str) -> bool:
    """Whether this process needs the DAG: a parse needs all, a task only its own."""
    current = get_parsing_context().dag_id
    return current is None or current == dag_id


def pulled(system: str) -> Asset:
    """Something new or changed of this source is in the ledger."""
    return Asset(name=f"hosync/pulled/{system}", uri=f"x-hosync://pulled/{system}", group="hosync")


def redriven() -> Asset:
    """Records that had been set aside came into the ledger."""
    return Asset(name="hosync/redriven", uri="x-hosync://redriven", group="hosync")


def delivered(target: str) -> Asset:
    """This target has acknowledged something."""
    return Asset(name=f"hosync/delivered/{target}", uri=f"x-hosync://delivered/{target}", group="hosync")


def followed() -> AssetAlias:
    """Stands for the assets ``delivered`` of the targets that the follower has brought something to."""
    return AssetAlias(name="hosync/followed", group="hosync")


def healing(target: str) -> Asset:
    """A comparison has made deliveries to this target due again."""
    return Asset(name=f"hosync/heal/{target}", uri=f"x-hosync://heal/{target}", group="hosync")


def dag_arguments(kind: str, entry: SourceEntry | TargetEntry, *, doc: str) -> dict[str, Any]:
    """The arguments that all DAGs have in common. ``doc`` may name ``{system}``, ``{vi}``, ``{en}``, ``{schedule}``."""
    return {
        "dag_id": f"{kind}_{entry.system}",
        "dag_display_name": f"{_VERBS[kind]} · {entry.title.vi}",
        "description": f"{entry.title.vi} / {entry.title.en}",
        "doc_md": doc.format(
            system=entry.system,
            vi=entry.title.vi,
            en=entry.title.en,
            owner_vi=entry.owner.vi,
            owner_en=entry.owner.en,
            schedule=entry.schedule or "—",
        ),
        "tags": ["hosync", kind, entry.system, f"agency:{entry.owner.agency}"],
        "default_args": dict(DEFAULT_ARGS),
        "start_date": START,
        "catchup": False,
        "max_active_runs": 1,
    }


_VERBS = {"pull": "Thu thập", "push": "Gửi", "reconcile": "Đối soát", "catalogues": "Danh mục", "reports": "Báo cáo"}


def skip(log: logging.Logger, message: str) -> NoReturn:
    """End a task as skipped, so that its asset has no event. Airflow itself does not log the reason."""
    log.info(message)
    raise AirflowSkipException(message)


def chosen(report: Mapping[str, Any], names: Sequence[str]) -> dict[str, int]:
    """The named numbers of a report, in this order (what comes through Airflow has lost its own)."""
    return {name: int(report[name]) for name in names}


def total(reports: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, int]:
    """The sums of the named numbers over all reports."""
    found = [chosen(report, names) for report in reports]
    return {name: sum(report[name] for report in found) for name in names}


def in_words(counts: Mapping[str, int]) -> str:
    """``new=3 changed=1`` for the log."""
    return " ".join(f"{name}={number}" for name, number in counts.items())
