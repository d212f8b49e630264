"""The Airflow DAG ``follow_ledger``: sources are looked at all the time, calls are heard, news goes out at once.

One task that runs for half an hour and ends; Airflow begins the next run at once (``@continuous``), also after one that
failed, so it is never tried again. It stays a task like any other: seen, paused, logged, on any executor.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task
from hosync_dags import DEFAULT_ARGS, START, delivered, followed, in_words, is_wanted

DOC = """\
### Theo dõi liên tục

Xem các hệ thống nguồn liên tục, theo nhịp `follow` trong danh mục (thường 15 đến 30 giây), nhận ngay cuộc gọi của các
hệ thống chủ động gửi, và gửi thay đổi tới mọi hệ thống đích ngay khi có. Thay đổi đến đích trong vòng một phút, cuộc
gọi trong vài giây; số đo ở `hosync status`.

Mỗi lượt chạy `minutes` phút rồi kết thúc, Airflow bắt đầu ngay lượt kế tiếp. Tạm dừng DAG này thì các DAG `pull_…` và
`push_…` vẫn chạy theo lịch, không mất gì, chỉ chậm hơn. Giờ bảo trì, hạn mức và `hosync pause` vẫn được tôn trọng.

**Tham số khi chạy tay**: `minutes` là số phút của một lượt.

**Khi bị lỗi**: không mất dữ liệu, lượt kế tiếp tự bắt đầu. Hệ thống nào lỗi thì được xem thưa dần, không ảnh hưởng hệ
thống khác; lý do ở nhật ký và ở `hosync status`. Nếu lượt nào cũng lỗi, kiểm tra cơ sở dữ liệu có đang chạy không.

---

### Following

Looks at the sources all the time, as often as `follow` in the catalog says (mostly 15 to 30 seconds), hears calls of
systems that call us at once, and delivers news to every target as soon as there is any. Changes arrive within a minute,
calls within seconds; `hosync status` shows what was measured.

Each run lasts `minutes` minutes, and Airflow begins the next one at once. While this DAG is paused, `pull_…` and
`push_…` go on by their schedules: nothing is lost, it is only slower. Quiet hours, quotas and `hosync pause` hold here
too.

**Parameters of a manual run**: `minutes` is how long a run lasts.

**When it fails**: nothing is lost, the next run begins by itself. A system that fails is looked at ever more seldom and
holds up no other; why stands in the log and in `hosync status`. If every run fails, check that the database runs.
"""

PARAMS = {
    "minutes": Param(
        30,
        type="integer",
        minimum=1,
        maximum=240,
        title="Số phút của một lượt / Minutes of a run",
        description="Lượt kế tiếp tự bắt đầu. / The next one begins by itself.",
    )
}

BRAKE_S = 20.0  # a run that cannot even begin is begun again at once, for ever

log = logging.getLogger("hosync.follow")


def build() -> DAG:
    """The DAG."""
    with DAG(
        "follow_ledger",
        dag_display_name="Theo dõi liên tục",
        description="Theo dõi liên tục / Following",
        doc_md=DOC,
        params=PARAMS,
        tags=["hosync", "follow", "ledger"],
        default_args=dict(DEFAULT_ARGS),
        schedule="@continuous",
        start_date=START,
        catchup=False,
        max_active_runs=1,
        allowed_run_types=["scheduled", "manual"],
    ) as dag:

        @task(outlets=[followed()], retries=0, execution_timeout=timedelta(hours=5))
        def watch(params: dict[str, Any], dag_run: Any, outlet_events: Any) -> None:
            """Follow for as long as a run lasts; then tell the comparisons which targets have got something."""
            from collections import Counter

            from sync.context import Context
            from sync.deliver import DeliverReport
            from sync.follow import CONNECTIONS, follow

            logging.getLogger("paramiko").setLevel(logging.WARNING)  # it tells of every sign-in
            taken: Counter[str] = Counter()

            def on_delivery(report: DeliverReport) -> None:
                taken[report.target] += report.accepted + report.resolved_by_asking
                log.info("%s: accepted=%d remaining=%d", report.target, report.accepted, report.remaining)

            began = time.monotonic()
            try:
                with Context.from_env(connections=CONNECTIONS) as context:
                    report = follow(
                        context,
                        started_by=f"airflow {dag_run.run_id}",
                        budget_s=params["minutes"] * 60,
                        on_look=lambda found: log.info("%s: new=%d changed=%d", found.system, found.new, found.changed),
                        on_delivery=on_delivery,
                    )
            except Exception:
                time.sleep(max(0.0, BRAKE_S - (time.monotonic() - began)))
                raise
            log.info(in_words(report.model_dump()))
            for target, accepted in taken.items():
                if accepted:
                    outlet_events[followed()].add(delivered(target), extra={"accepted": accepted, "correction": False})

        watch()
    return dag


if is_wanted("follow_ledger"):
    build()
