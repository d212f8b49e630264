"""Airflow DAGs ``reconcile_<target>``: what each target says it holds, against what the ledger holds.

A comparison runs after deliveries and by its own clock. When it made deliveries due again, ``announce`` starts a push.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param, task
from hosync_dags import ZONE, chosen, dag_arguments, delivered, healing, in_words, is_wanted, skip

from connectors.catalog import load_catalog

if TYPE_CHECKING:
    from connectors.catalog import TargetEntry

DOC = """\
### Đối soát: {vi} (`{system}`)

Hỏi hệ thống đích đang thực sự giữ những gì rồi so với sổ cái; không dùng nhật ký gửi của chính mình. Sai lệch được ghi
lại và hiển thị ở trang *Giám sát đồng bộ*. Đơn vị quản lý: {owner_vi}. Chạy sau mỗi lần gửi và theo lịch riêng.

**Tham số khi chạy tay**

| Tham số | Ý nghĩa |
|---|---|
| `heal` | Tự động đưa các hồ sơ sai lệch vào hàng đợi để gửi lại, trong giới hạn của danh mục. |
| `limit` | Hỏi nhiều nhất bao nhiêu hồ sơ (chỉ với hệ thống phải hỏi từng hồ sơ). Để trống: theo danh mục. |

**Khi bị lỗi**: kết quả chưa đầy đủ nên không có gì bị thay đổi. Chạy `hosync check {system}`, sau đó *Clear* tác vụ bị
lỗi. Nếu nhật ký có `held_back`, số hồ sơ cần sửa vượt giới hạn an toàn: xem nguyên nhân trước khi sửa hàng loạt.

---

### Reconcile: {en} (`{system}`)

Asks the target what it really holds and compares that with the ledger, never with our own delivery log. Breaks are
booked and shown on the *Sync monitor* page. Run by: {owner_en}. Runs after deliveries and by its own schedule.

**Parameters of a manual run**: `heal` makes broken dossiers due again within the catalog's limits; `limit` is how many
dossiers are asked for at most, where a target must be asked one by one (empty: the catalog's limit).

**When it fails**: the comparison is incomplete, so nothing was changed. Run `hosync check {system}`, then *Clear* the
failed task. `held_back` in the log means that more would be corrected than the safety limit allows: find the cause
before correcting many dossiers at once.
"""

PARAMS = {
    "heal": Param(
        True,
        type="boolean",
        title="Tự động gửi lại / Heal",
        description="Đưa hồ sơ sai lệch vào hàng đợi gửi lại. / Make broken dossiers due again.",
    ),
    "limit": Param(
        None,
        type=["integer", "null"],
        minimum=1,
        title="Số hồ sơ tối đa / Most dossiers asked for",
        description="Để trống: theo danh mục. / Empty: as the catalog says.",
    ),
}

log = logging.getLogger("hosync.reconcile")

COUNTS = ("ours", "theirs", "matched", "in_flight", "healed", "held_back", "waiting")


def build(entry: TargetEntry) -> DAG:
    """The DAG of one target's comparison."""
    target = entry.system
    done, correction = delivered(target), healing(target)
    clock = entry.reconcile.schedule
    schedule = (
        AssetOrTimeSchedule(timetable=CronTriggerTimetable(clock, timezone=ZONE), assets=[done]) if clock else [done]
    )

    with DAG(
        schedule=schedule,
        params=PARAMS,
        # A target can only be asked what it holds now.
        allowed_run_types=["scheduled", "manual", "asset_triggered"],
        **dag_arguments("reconcile", entry, doc=DOC),
    ) as dag:

        @task(multiple_outputs=False, pool=entry.pool, execution_timeout=timedelta(hours=3))
        def reconcile(params: dict[str, Any], triggering_asset_events: Any) -> dict[str, Any]:
            """Compare, book the breaks, and make due again what may be."""
            from connectors.traffic import quiet_until
            from sync.context import Context, now
            from sync.reconcile import reconcile as compare

            if quiet_until(entry.quiet, now()):
                skip(log, f"{target}: đang giờ bảo trì / these are its quiet hours")

            # A target that says yes and stores nothing would be corrected for ever, in a circle: reconcile, push,
            # reconcile. What was delivered as a correction is compared, but only the clock corrects again.
            events = [event.extra or {} for of_asset in triggering_asset_events.values() for event in of_asset]
            is_second_look = any(extra.get("correction") for extra in events)
            # After a delivery a target that must be asked one by one is asked for what was just sent; the clock's run
            # goes on to those that were verified longest ago.
            sent = sum(int(extra.get("accepted", 0)) for extra in events)
            with Context.from_env() as context:
                report = compare(
                    context,
                    target,
                    as_of=now(),
                    limit=params["limit"] or (min(sent, entry.reconcile.limit) if sent else None),
                    heal=params["heal"] and not is_second_look,
                )
            return report.model_dump(mode="json")

        @task(outlets=[correction], retries=0)
        def announce(report: dict[str, Any], outlet_events: Any) -> None:
            """Start a push when deliveries were made due again; skipped otherwise."""
            counts = chosen(report, COUNTS)
            log.info("%s: %s; breaks: %s", target, in_words(counts), in_words(report["breaks"]))
            if counts["held_back"]:
                log.warning(
                    "%s: %d sai lệch vượt giới hạn an toàn, chờ người xem xét: mở Giám sát đồng bộ. / More than the "
                    "safety limit allows to correct, a person must look: open the Sync monitor.",
                    target,
                    counts["held_back"],
                )
            if counts["waiting"]:
                log.warning(
                    "%s: %d sai lệch chưa sửa vì cơ sở dữ liệu vừa khởi động lại hoặc khôi phục, hệ thống đích có thể "
                    "đúng hơn: xem `hosync status`. / Not corrected yet: the database was restarted or restored, and "
                    "the target may know better; see `hosync status`.",
                    target,
                    counts["waiting"],
                )
            if not counts["healed"]:
                skip(log, f"{target}: không có gì phải gửi lại / nothing to send again")
            outlet_events[correction].extra = counts

        announce(reconcile())
    return dag


for one in load_catalog().targets:
    if one.is_compared and is_wanted(f"reconcile_{one.system}"):
        build(one)
