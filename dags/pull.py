"""Airflow DAGs ``pull_<system>``: what is new at each source of the catalog goes into the ledger.

``pull`` reads what is new and tells the pushes about it: one process for what runs every few minutes. What is asked for
beyond that it cuts into windows; then ``window`` carries out one of them, and ``summary`` tells the pushes.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, task
from hosync_dags import ZONE, dag_arguments, in_words, is_wanted, pulled, skip, total

from connectors.catalog import load_catalog

if TYPE_CHECKING:
    from connectors.catalog import SourceEntry

DOC = """\
### Thu thập hồ sơ: {vi} (`{system}`)

Lấy các hồ sơ mới hoặc có thay đổi từ hệ thống nguồn, chuẩn hóa và ghi vào sổ cái. Đơn vị quản lý: {owner_vi}.
Lịch chạy (giờ Việt Nam): `{schedule}`.

**Tham số khi chạy tay**

| Tham số | Ý nghĩa |
|---|---|
| `full` | Đọc lại toàn bộ từ ngày đầu tiên, mỗi tháng một phần. Chạy lại bao nhiêu lần cũng an toàn. |
| `from`, `to` | Chỉ đọc lại các hồ sơ trong khoảng thời gian này. Không làm thay đổi vị trí của lần thu thập kế tiếp. |

Để trống tất cả: chỉ lấy những gì mới kể từ lần trước.
*Backfill* của Airflow đọc lại đúng khoảng thời gian của từng lượt chạy.

**Khi bị lỗi**: mở nhật ký của tác vụ màu đỏ; dòng cuối cùng nói rõ lỗi gì và cần làm gì. Lỗi tạm thời được tự động thử
lại. Những trang đã ghi vẫn được giữ nguyên, không mất dữ liệu. Sau khi khắc phục, chạy `hosync check {system}` rồi bấm
*Clear* tác vụ bị lỗi.

---

### Pull dossiers: {en} (`{system}`)

Reads new and changed dossiers from the source, normalises them and writes them to the ledger. Run by: {owner_en}.
Schedule (Vietnamese time): `{schedule}`.

**Parameters of a manual run**: `full` reads everything again from the first day, month by month; `from` and `to` read
only that span again and do not move the position of the next pull. Leave all empty to read what is new. An Airflow
*backfill* reads each run's own interval. Repeating any of them is safe.

**When it fails**: open the log of the red task; its last line says what is wrong and what to do. Passing faults are
retried. Pages stored before stay stored, nothing is lost. Once it is put right, run `hosync check {system}`, then
*Clear* the failed task.
"""

PARAMS = {
    "full": Param(
        False,
        type="boolean",
        title="Đọc lại toàn bộ / Read everything again",
        description="Từ ngày đầu tiên trong danh mục. / From the first day in the catalog.",
    ),
    "from": Param(
        None,
        type=["string", "null"],
        format="date-time",
        title="Từ thời điểm / From",
        description="Để trống: từ lần trước. / Empty: since the last pull.",
    ),
    "to": Param(
        None,
        type=["string", "null"],
        format="date-time",
        title="Đến trước thời điểm / Up to",
        description="Để trống: đến bây giờ. / Empty: until now.",
    ),
}

log = logging.getLogger("hosync.pull")

LOCK_WAIT_S = 60.0  # a look of the follower is soon over

COUNTS = ("pages", "fetched", "new", "changed", "unchanged", "stale", "quarantined")

# A source serves people too: its pool lets few windows at once through, over all runs and backfills. Two tasks never
# read the same window: the ledger's lock makes the second one wait.


def build(entry: SourceEntry) -> DAG:
    """The DAG of one source."""
    system = entry.system
    news = pulled(system)
    schedule = CronDataIntervalTimetable(entry.schedule, timezone=ZONE) if entry.schedule else None

    with DAG(schedule=schedule, params=PARAMS, **dag_arguments("pull", entry, doc=DOC)) as dag:

        @task(outlets=[news], multiple_outputs=False, pool=entry.pool, execution_timeout=timedelta(hours=6))
        def pull(params: dict[str, Any], dag_run: Any, ti: Any, outlet_events: Any) -> list[dict[str, Any]]:
            """Read what was asked for; of more than one window none, but give them all back, oldest first."""
            from datetime import datetime

            from airflow.sdk import conf

            from schemas.times import with_zone
            from sync.context import Context, now
            from sync.pull import plan
            from sync.pull import pull as pull_window

            def moment(text: str | None) -> datetime | None:
                return with_zone(datetime.fromisoformat(text)) if text else None

            span = {"start": moment(params["from"]), "end": moment(params["to"])}
            if dag_run.run_type == "backfill":
                span = {"start": dag_run.data_interval_start, "end": dag_run.data_interval_end}
            with Context.from_env() as context:
                windows = plan(context, system, now=now(), full=params["full"], **span)
                if len(windows) == 1:
                    report = pull_window(
                        context, windows[0], started_by=f"airflow {dag_run.run_id}", now=now(), wait_s=LOCK_WAIT_S
                    )
                    announce([report.model_dump(mode="json")], ti, outlet_events)
                    return []
            most = conf.getint("core", "max_map_length")
            if len(windows) > most:
                raise ValueError(
                    f"{system}: {len(windows)} windows, Airflow takes {most}. Give from and to closer to each other, "
                    "or raise AIRFLOW__CORE__MAX_MAP_LENGTH."
                )
            outlet_events[news].extra = {"windows": len(windows)}
            return [{"label": window.label, **window.model_dump(mode="json")} for window in windows]

        @task(
            multiple_outputs=False,
            pool=entry.pool,
            execution_timeout=timedelta(hours=6),
            map_index_template="{{ task.op_kwargs['window']['label'] }}",
        )
        def window(window: dict[str, Any], dag_run: Any) -> dict[str, Any]:
            """Fetch, map, validate and store one window, page by page."""
            from sync.context import Context, now
            from sync.pull import PullPlan, pull

            with Context.from_env() as context:
                report = pull(
                    context, PullPlan.model_validate(window), started_by=f"airflow {dag_run.run_id}", now=now()
                )
            return report.model_dump(mode="json")

        @task(outlets=[news], retries=0)
        def summary(reports: list[dict[str, Any]], ti: Any, outlet_events: Any) -> None:
            """Add the windows up."""
            announce(list(reports), ti, outlet_events)

        def announce(reports: list[dict[str, Any]], ti: Any, outlet_events: Any) -> None:
            """Tell the pushes; the task ends as skipped, and so without news, when nothing was new or changed."""
            counts = total(reports, COUNTS)
            ti.xcom_push(key="counts", value=counts)
            log.info("%s: %s", system, in_words(counts))
            if not counts["new"] + counts["changed"]:
                skip(log, f"{system}: không có gì mới để gửi / nothing new to push")
            outlet_events[news].extra = counts

        summary(window.expand(window=pull()))
    return dag


for source in load_catalog().sources:
    if is_wanted(f"pull_{source.system}"):
        build(source)
