"""Airflow DAGs ``reports_<target>``: each ended month is reported to the targets that take reports."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowException
from hosync_dags import ZONE, dag_arguments, in_words, is_wanted, skip

from connectors.catalog import load_catalog

if TYPE_CHECKING:
    from connectors.catalog_models import TargetEntry
    from connectors.reporting import Reports

DOC = """\
### Báo cáo định kỳ: {vi} (`{system}`)

Mỗi ngày đếm lại các tháng đã kết thúc (mức độ hài lòng của công dân, thống kê hồ sơ) và gửi những báo cáo mới, hoặc đã
thay đổi mà hệ thống đích cho phép gửi đè. Mỗi báo cáo của một tháng, một cơ quan chỉ gửi một lần. Xem bằng
`hosync reports {system}`. Đơn vị quản lý: {owner_vi}.

**Khi bị lỗi**: không có báo cáo nào bị mất hay bị gửi trùng; phần chưa gửi để lượt sau gửi tiếp. Báo cáo không rõ đã
đến nơi chưa thì hỏi đơn vị quản lý, rồi gửi lại bằng `hosync reports {system} --again --failed`. Chạy
`hosync check {system}`, rồi *Clear* tác vụ bị lỗi.

---

### Periodic reports: {en} (`{system}`)

Once a day counts the ended months again (citizens' satisfaction, statistics of dossiers) and sends the reports that are
new, or have changed where the target replaces them. A month's report of an agency is sent once. See
`hosync reports {system}`. Run by: {owner_en}.

**When it fails**: no report is lost and none is sent twice; what was not sent waits for the next run. Where nobody
knows whether a report arrived, ask the owner, then `hosync reports {system} --again --failed` sends it again. Run
`hosync check {system}`, then *Clear* the failed task.
"""

log = logging.getLogger("hosync.reports")

COUNTS = ("changed", "accepted", "rejected", "retry", "in_doubt", "given_up", "remaining")
AT_REST = {"paused", "restored", "quiet", "asked", "day"}  # nobody may call, and nothing is wrong
PATIENCE_S = 60.0  # wait this long in all for what is due again soon, rather than leave it to tomorrow


def build(entry: TargetEntry, rules: Reports) -> DAG:
    """The DAG of one target's reports."""
    target = entry.system
    with DAG(
        schedule=CronTriggerTimetable(rules.schedule, timezone=ZONE) if rules.schedule else None,
        # Every run counts all months that may have changed: there is no past day to report again.
        allowed_run_types=["scheduled", "manual"] if rules.schedule else ["manual"],
        **dag_arguments("reports", entry, doc=DOC),
    ) as dag:

        @task(pool=entry.pool, execution_timeout=timedelta(hours=1))
        def report() -> None:
            """Count and send. Fails when the target took nothing although something was sent."""
            from sync.context import Context, now
            from sync.reports import report_to

            with Context.from_env() as context:
                done = report_to(context, target, now=now(), wait_s=PATIENCE_S)
            counts = in_words({name: getattr(done, name) for name in COUNTS})
            log.info("%s: %s", target, counts)
            if done.waiting_for:
                waiting = ", ".join(done.waiting_for)
                log.warning("%s: tháng gần nhất chờ / the last month waits for: %s", target, waiting)
            if done.resting in AT_REST:
                skip(log, f"{target}: tạm không gọi / not called now ({done.resting})")
            if done.remaining and not done.accepted:
                raise AirflowException(
                    f"{target}: hệ thống đích không nhận được gì / the target took nothing: {counts}. Không mất dữ "
                    f"liệu, lượt sau gửi lại. Chạy `hosync check {target}`. / Nothing is lost, the next run sends it. "
                    f"Run `hosync check {target}`."
                )

        report()
    return dag


for one in load_catalog().targets:
    if one.reports and is_wanted(f"reports_{one.system}"):
        build(one, one.reports)
