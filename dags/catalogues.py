"""Airflow DAGs ``catalogues_<target>``: what a target publishes, pulled daily, and which of our codes it does not."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, CronTriggerTimetable, task
from hosync_dags import ZONE, dag_arguments, is_wanted

from connectors.catalog import load_catalog

if TYPE_CHECKING:
    from connectors.catalog_models import Catalogues, TargetEntry

DOC = """\
### Danh mục: {vi} (`{system}`)

Mỗi ngày lấy các danh mục mà hệ thống đích công bố (thủ tục, cơ quan, lĩnh vực), lưu vào sổ cái kèm ngày có hiệu lực,
rồi liệt kê theo từng cơ quan những mã mà hồ sơ của ta dùng nhưng danh mục không có. Xem bằng
`hosync catalogues {system}`. Đơn vị quản lý: {owner_vi}.

**Khi bị lỗi**: danh mục cũ được giữ nguyên. Nếu thông báo nói danh mục ngắn đi nhiều, hãy hỏi đơn vị quản lý trước.
Chạy `hosync check {system}`, rồi *Clear* tác vụ bị lỗi.

---

### Catalogues: {en} (`{system}`)

Once a day pulls what the target publishes (procedures, agencies, fields), keeps it in the ledger with its dates, and
lists by agency the codes that our dossiers carry and the catalogues do not have. See `hosync catalogues {system}`.
Run by: {owner_en}.

**When it fails**: the former catalogues are kept. When the message says that one has become much shorter, ask its owner
first. Run `hosync check {system}`, then *Clear* the failed task.
"""

log = logging.getLogger("hosync.catalogues")


def build(entry: TargetEntry, rules: Catalogues) -> DAG:
    """The DAG of one target's catalogues."""
    target = entry.system
    with DAG(
        schedule=CronTriggerTimetable(rules.schedule, timezone=ZONE) if rules.schedule else None,
        # What is published now can be asked for, what was published yesterday can not.
        allowed_run_types=["scheduled", "manual"] if rules.schedule else ["manual"],
        **dag_arguments("catalogues", entry, doc=DOC),
    ) as dag:

        @task(pool=entry.pool, execution_timeout=timedelta(minutes=30))
        def pull_catalogues() -> None:
            """Pull them all, then say what is not in them."""
            from sync.catalogues import pull_catalogues as pull
            from sync.context import Context

            with Context.from_env() as context:
                report = pull(context, target)
            for line in report.catalogues:
                log.info(
                    "%s %s: entries=%d added=%d changed=%d gone=%d",
                    target, line.kind, line.entries, line.added, line.changed, line.gone,
                )  # fmt: skip
            for each in report.unpublished:
                log.warning(
                    "%s không công bố / does not publish %s %s: %s, %d hồ sơ / dossiers, %s",
                    target, each.kind, each.code, each.agency_name or each.agency_code, each.dossiers, each.first_code,
                )  # fmt: skip

        pull_catalogues()
    return dag


for one in load_catalog().targets:
    if one.catalogues and is_wanted(f"catalogues_{one.system}"):
        build(one, one.catalogues)
