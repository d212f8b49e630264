"""The Airflow DAG ``redrive_ledger``: records set aside are mapped again when there is hope for them.

There is hope when the mapping has changed since, or when a record waits for its dossier's home to tell of it.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, Param, task
from hosync_dags import DEFAULT_ARGS, START, ZONE, in_words, is_wanted, redriven, skip

DOC = """\
### Xử lý lại hồ sơ bị cách ly

Hồ sơ không hiểu được (mã lạ, ngày sai, hồ sơ chưa biết) được cách ly nguyên vẹn. DAG này chuyển đổi lại chúng khi tệp
ánh xạ đã được sửa, hoặc khi hệ thống gốc của hồ sơ đã gửi hồ sơ. Hồ sơ vẫn chưa hiểu được thì ở lại chỗ cũ.

**Tham số khi chạy tay**: `all` thử lại tất cả hồ sơ đang cách ly.

**Khi bị lỗi**: không mất dữ liệu. Đọc dòng cuối của nhật ký, chạy `hosync check`, rồi *Clear* tác vụ bị lỗi.

---

### Re-drive of records set aside

A record that cannot be understood (unknown code, broken date, unknown dossier) is set aside whole. This DAG maps it
again once its mapping was mended or its dossier's home has told of it. What still cannot be understood stays.

**Parameters of a manual run**: `all` tries every record that is set aside.

**When it fails**: nothing is lost. Read the last line of the log, run `hosync check`, then *Clear* the failed task.
"""

PARAMS = {
    "all": Param(
        False,
        type="boolean",
        title="Thử lại tất cả / Try all",
        description="Cả những hồ sơ mà tệp ánh xạ chưa thay đổi. / Also those whose mapping has not changed.",
    )
}

log = logging.getLogger("hosync.redrive")


def build() -> DAG:
    """The DAG."""
    news = redriven()
    with DAG(
        "redrive_ledger",
        dag_display_name="Xử lý lại · Hồ sơ cách ly",
        description="Xử lý lại hồ sơ bị cách ly / Re-drive of records set aside",
        doc_md=DOC,
        params=PARAMS,
        tags=["hosync", "redrive", "ledger"],
        default_args=dict(DEFAULT_ARGS),
        schedule=CronTriggerTimetable("*/10 * * * *", timezone=ZONE),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        allowed_run_types=["scheduled", "manual"],
    ) as dag:

        @task(outlets=[news])
        def map_again(params: dict[str, Any], dag_run: Any) -> None:
            """Map again what may now be understood; skipped, and so no news, when nothing came in."""
            from sync.context import Context
            from sync.redrive import hopeful, redrive

            came_in = 0
            with Context.from_env() as context:
                for system in hopeful(context, everything=params["all"]):
                    report = redrive(context, system, started_by=f"airflow {dag_run.run_id}")
                    counts = report.model_dump(include={"tried", "new", "changed", "unchanged", "stale"})
                    log.info("%s: %s still_set_aside=%d", system, in_words(counts), report.still_set_aside)
                    came_in += report.new + report.changed
            if not came_in:
                skip(log, "không có hồ sơ nào được đưa vào / no record came in")

        map_again()
    return dag


if is_wanted("redrive_ledger"):
    build()
