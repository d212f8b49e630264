"""Airflow DAGs ``push_<target>``: what the ledger has due for each target of the catalog is delivered.

A push runs when a pull brought news, when a comparison asked for a correction, and at the latest by its own clock.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable, Param, task
from airflow.sdk.exceptions import AirflowException
from hosync_dags import ZONE, dag_arguments, delivered, healing, in_words, is_wanted, pulled, redriven, skip, total

from connectors.catalog import load_catalog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.catalog import SourceEntry, TargetEntry

DOC = """\
### Gửi trạng thái hồ sơ: {vi} (`{system}`)

Gửi những gì hệ thống đích chưa xác nhận: bản ghi hồ sơ và các bước xử lý, theo đúng thứ tự. Đơn vị quản lý: {owner_vi}.
Chạy khi có dữ liệu mới, khi đối soát yêu cầu gửi lại, và chậm nhất theo lịch (giờ Việt Nam): `{schedule}`.

Không gọi trong giờ bảo trì của hệ thống đích, và khi đang tạm dừng (`hosync pause {system}`).

**Tham số khi chạy tay**: `minutes` là số phút tối đa của một lượt; phần còn lại để lượt sau gửi tiếp. `resend_dead` gửi
lại cả những hồ sơ không gửi được (bị từ chối, hoặc lỗi quá nhiều lần), sau khi đã khắc phục nguyên nhân.

**Khi bị lỗi**: không có hồ sơ nào bị mất hay bị gửi trùng; phần chưa gửi vẫn nằm trong hàng đợi và lượt sau sẽ gửi.
Chạy `hosync check {system}` để xem kết nối và đăng nhập. Hồ sơ bị hệ thống đích từ chối không làm lượt chạy bị lỗi:
xem lý do ở trang *Giám sát đồng bộ*.

---

### Push dossier states: {en} (`{system}`)

Sends what the target has not acknowledged: dossier records and processing steps, in order. Run by: {owner_en}.
Runs when there is news, when a comparison asks for a correction, and at the latest by schedule (Vietnamese time):
`{schedule}`.

Nothing is called in the target's quiet hours, nor while it is paused (`hosync pause {system}`).

**Parameters of a manual run**: `minutes` is how long one run may take; the rest is left to the next run. `resend_dead`
also sends the dossiers that did not get through (refused, or failed too often), once what was wrong is mended.

**When it fails**: no dossier is lost and none is sent twice; what was not sent stays due for the next run. Run
`hosync check {system}` to test connection and sign-in. A dossier that the target refuses does not fail the run: find
the reason on the *Sync monitor* page.
"""

PARAMS = {
    "minutes": Param(
        20,
        type="integer",
        minimum=1,
        maximum=240,
        title="Thời gian tối đa (phút) / Time limit (minutes)",
        description="Phần còn lại để lượt sau gửi tiếp. / What is left then waits for the next run.",
    ),
    "resend_dead": Param(
        False,
        type="boolean",
        title="Gửi lại hồ sơ không gửi được / Send the dead again",
        description="Sau khi đã khắc phục nguyên nhân. / Once what was wrong is mended.",
    ),
}

log = logging.getLogger("hosync.push")

COUNTS = (
    "accepted",
    "unchanged",
    "rejected",
    "retry",
    "in_doubt",
    "given_up",
    "resolved_by_asking",
    "remaining",
)
AT_REST = {"paused", "restored", "quiet", "asked", "day"}  # nobody may call, and nothing is wrong
PATIENCE_S = 30.0  # wait this long in all for retries that are due again soon, rather than leave them to the next run


def build(entry: TargetEntry, sources: Sequence[SourceEntry]) -> DAG:
    """The DAG of one target."""
    target = entry.system
    done, correction = delivered(target), healing(target)
    schedule = entry.schedule and AssetOrTimeSchedule(
        timetable=CronTriggerTimetable(entry.schedule, timezone=ZONE),
        assets=AssetAny(*(pulled(source.system) for source in sources), redriven(), correction),
    )

    with DAG(
        schedule=schedule or None,
        params=PARAMS,
        # A push sends what is due now; there is no past day to deliver again.
        allowed_run_types=["scheduled", "manual", "asset_triggered"] if schedule else ["manual"],
        **dag_arguments("push", entry, doc=DOC),
    ) as dag:

        @task(
            multiple_outputs=False,
            pool=entry.pool,
            execution_timeout=timedelta(hours=5),
            map_index_template="{{ task.op_kwargs['worker'] }}",
        )
        def deliver(worker: int, params: dict[str, Any]) -> dict[str, Any]:
            """Send what is due until nothing is, or the time is used up; workers never hold the same dossier."""
            from sync.again import resend
            from sync.context import Context
            from sync.deliver import deliver as deliver_due

            with Context.from_env() as context:
                if params["resend_dead"] and worker == 1:
                    log.info("%s: resend_dead=%d", target, resend(context, target))
                report = deliver_due(context, target, budget_s=params["minutes"] * 60, wait_s=PATIENCE_S)
            return report.model_dump(mode="json")

        @task(outlets=[done], retries=0)
        def summary(reports: list[dict[str, Any]], triggering_asset_events: Any, outlet_events: Any) -> None:
            """Fails when the target took nothing although something was sent; skipped when nothing was due."""
            counts = total(list(reports), COUNTS) | {"remaining": min(report["remaining"] for report in reports)}
            log.info("%s: %s", target, in_words(counts))
            # A correction is looked at once more but does not start another one: see reconcile.py.
            healed = [
                event.extra
                for asset, events in triggering_asset_events.items()
                if asset.name == correction.name
                for event in events
            ]
            corrected = sum(int((extra or {}).get("healed", 1)) for extra in healed)
            if not counts["accepted"] + counts["resolved_by_asking"]:
                resting = {report.get("resting") for report in reports} & AT_REST
                if resting:
                    skip(log, f"{target}: tạm không gọi / not called now ({', '.join(sorted(resting))})")
                if counts["retry"] + counts["in_doubt"]:
                    raise AirflowException(
                        f"{target}: hệ thống đích không nhận được gì / the target took nothing: {in_words(counts)}. "
                        f"Không mất dữ liệu, lượt sau gửi lại. Chạy `hosync check {target}`. / Nothing is lost, the "
                        f"next run sends again. Run `hosync check {target}`."
                    )
                if not corrected:
                    skip(log, f"{target}: không có gì được gửi / nothing was sent")
                # The follower was faster; its own word to the comparison comes when its run ends.
                counts["accepted"] = corrected
            outlet_events[done].extra = {**counts, "correction": bool(corrected)}

        summary(deliver.expand(worker=list(range(1, entry.workers + 1))))
    return dag


catalog = load_catalog()
for one in catalog.targets:
    if is_wanted(f"push_{one.system}"):
        build(one, catalog.sources)
