"""The Airflow DAG ``upkeep_ledger``: what the ledger itself needs once a day."""

from __future__ import annotations

import logging

from airflow.sdk import DAG, CronTriggerTimetable, task
from hosync_dags import DEFAULT_ARGS, START, ZONE, is_wanted

DOC = """\
### Bảo trì sổ cái

Mỗi ngày tạo trước các phân vùng tháng cho những bảng lớn (kho trang gốc, bước xử lý, nhật ký gửi).

**Khi bị lỗi**: không mất dữ liệu, vì bản ghi của tháng chưa có phân vùng vẫn được lưu và sẽ được chuyển sang sau.
Kiểm tra cơ sở dữ liệu có đang chạy không, rồi *Clear* tác vụ bị lỗi.

---

### Upkeep of the ledger

Once a day, makes the monthly partitions of the big tables (raw pages, processing steps, delivery attempts) ahead of
time.

**When it fails**: no data is lost, since records of a month without a partition are kept all the same and moved later.
Check that the database runs, then *Clear* the failed task.
"""

log = logging.getLogger("hosync.upkeep")


def build() -> DAG:
    """The DAG."""
    with DAG(
        "upkeep_ledger",
        dag_display_name="Bảo trì · Sổ cái",
        description="Bảo trì sổ cái / Upkeep of the ledger",
        doc_md=DOC,
        tags=["hosync", "upkeep", "ledger"],
        default_args=dict(DEFAULT_ARGS),
        schedule=CronTriggerTimetable("15 0 * * *", timezone=ZONE),
        start_date=START,
        catchup=False,
        max_active_runs=1,
        allowed_run_types=["scheduled", "manual"],
    ) as dag:

        @task
        def make_partitions() -> None:
            """Create the months that are missing, up to three ahead."""
            from ledger.engine import open_engine
            from ledger.partitions import ensure_partitions

            engine = open_engine()
            try:
                made = ensure_partitions(engine)
            finally:
                engine.dispose()
            log.info("partitions made: %s", ", ".join(made) or "none was missing")

        make_partitions()
    return dag


if is_wanted("upkeep_ledger"):
    build()
