"""What EMC shows people: a page of counts, and its export. The only way to read anything back.

Assumed throughout; public sources only say that there is a dashboard. The export is CSV as a spreadsheet writes it:
UTF-8 with a byte order mark, CRLF, a header, one line per procedure and status that has events, and a last line whose
first cell is ``TOTAL_LABEL``, whose second is empty and whose third is the number of distinct dossiers (not of events).
"""

import csv
from collections.abc import Sequence
from html import escape
from io import StringIO

from sandbox.targets.emc.events import EventStatus
from sandbox.targets.emc.store import Count

HEADER = ("codeTTHC", "status", "events")
TOTAL_LABEL = "Tổng số hồ sơ"
LABELS = {
    EventStatus.OTHER: "Khác",
    EventStatus.RECEIVED: "Tiếp nhận",
    EventStatus.PROCESSING: "Đang xử lý",
    EventStatus.RETURNED: "Trả kết quả",
    EventStatus.ASSIGNED: "Đã phân công",
}

_PAGE = """<!DOCTYPE html>
<html lang="vi">
<head><meta charset="utf-8"><title>EMC - Giám sát hồ sơ trực tuyến</title></head>
<body>
<h1>Số lượt cập nhật hồ sơ theo thủ tục và trạng thái</h1>
<p>{total_label}: <strong id="total">{distinct}</strong></p>
<table>
<thead><tr><th>Mã thủ tục</th>{heads}<th>Cộng</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p><a href="?format=csv">Xuất tệp CSV</a></p>
</body>
</html>
"""


def as_csv(counts: Sequence[Count], distinct: int) -> bytes:
    """The export."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows((one.procedure, one.status, one.events) for one in counts)
    writer.writerow((TOTAL_LABEL, "", distinct))
    return text.getvalue().encode("utf-8-sig")


def as_page(counts: Sequence[Count], distinct: int) -> str:
    """The page: one row per procedure, one column per status."""
    table: dict[str, dict[int, int]] = {}
    for one in counts:
        table.setdefault(one.procedure, {})[one.status] = one.events
    return _PAGE.format(
        total_label=TOTAL_LABEL,
        distinct=distinct,
        heads="".join(f"<th>{LABELS[status]}</th>" for status in EventStatus),
        rows="\n".join(_row(procedure, events) for procedure, events in table.items()),
    )


def _row(procedure: str, events: dict[int, int]) -> str:
    cells = "".join(f"<td>{events.get(status, 0)}</td>" for status in EventStatus)
    return f"<tr><td>{escape(procedure)}</td>{cells}<td>{sum(events.values())}</td></tr>"
