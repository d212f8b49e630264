"""The page's words, Vietnamese first, English beside it, and how each language writes numbers and times."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from ledger.types import BreakKind, BreakStatus
from schemas.states import LABELS_VI, State
from schemas.times import VN, with_zone


class Language(StrEnum):
    """The languages of the page."""

    VI = "vi"
    EN = "en"


# key: (Vietnamese, English)
WORDS: MappingProxyType[str, tuple[str, str]] = MappingProxyType(
    {
        "title": ("Giám sát đồng bộ hồ sơ", "Dossier sync monitor"),
        "skip": ("Đến nội dung chính", "Skip to content"),
        "updated": ("Cập nhật lúc", "Updated at"),
        "vn_time": ("giờ Việt Nam", "Vietnamese time"),
        "language": ("Ngôn ngữ", "Language"),
        "summary": ("Tổng quan", "At a glance"),
        "dossiers": ("Hồ sơ", "Dossiers"),
        "in_ledger": ("Hồ sơ trong sổ cái", "Dossiers in the ledger"),
        "due": ("Chờ gửi", "Due"),
        "doubt": ("Chưa rõ kết quả", "In doubt"),
        "rejected": ("Bị từ chối", "Rejected"),
        "breaks": ("Sai lệch đang mở", "Open breaks"),
        "quarantined_open": ("Bản ghi bị cách ly", "Records in quarantine"),
        "sources": ("Hệ thống nguồn", "Sources"),
        "targets": ("Hệ thống đích", "Targets"),
        "system": ("Hệ thống", "System"),
        "status": ("Tình trạng", "Status"),
        "last_pull": ("Lần thu thập gần nhất", "Last pull"),
        "lag": ("Độ trễ", "Lag"),
        "equation": ("Kết quả lần thu thập gần nhất", "Result of the last pull"),
        "fetched": ("Đã đọc", "Fetched"),
        "new": ("Mới", "New"),
        "changed": ("Thay đổi", "Changed"),
        "unchanged": ("Không đổi", "Unchanged"),
        "stale": ("Đến muộn", "Stale"),
        "quarantined": ("Cách ly", "Quarantined"),
        "delivered": ("Đã xác nhận", "Delivered"),
        "last_comparison": ("Lần đối soát gần nhất", "Last reconciliation"),
        "breaks_by_kind": ("Sai lệch đang mở", "Open breaks"),
        "matched_held": ("{matched} trên {ours} hồ sơ khớp", "{matched} of {ours} dossiers agree"),
        "matched_asked_for": ("{matched} trên {ours} hồ sơ đã hỏi khớp", "{matched} of {ours} asked for agree"),
        "matched_buckets": ("{matched} trên {ours} nhóm khớp số lượng", "{matched} of {ours} counts agree"),
        "in_flight": ("{count} đang trên đường gửi", "{count} in flight"),
        "doubtful": ("{count} thông điệp không xác minh được", "{count} messages can't be verified"),
        "perhaps_doubled": ("{count} thông điệp có thể bị tính hai lần", "{count} messages may count twice"),
        "succeeded_at": ("thành công lần cuối", "last succeeded"),
        "open_breaks": ("Danh sách sai lệch đang mở", "Open breaks"),
        "first_only": ("{shown} sai lệch cũ nhất trong tổng số {total}", "The oldest {shown} of {total}"),
        "no_breaks": (
            "Không có sai lệch nào đang mở, tính đến lần đối soát gần nhất của từng hệ thống đích.",
            "No open breaks, as of each target's last reconciliation.",
        ),
        "not_compared": (
            "Chưa có lần đối soát nào, vì vậy chưa thể nói dữ liệu ở hệ thống đích có khớp hay không.",
            "Nothing has been reconciled yet, so nobody can say whether the targets agree.",
        ),
        "code": ("Mã hồ sơ", "Dossier"),
        "kind": ("Loại sai lệch", "Kind"),
        "target": ("Hệ thống đích", "Target"),
        "ours": ("Sổ cái", "Ledger"),
        "theirs": ("Hệ thống đích giữ", "Target holds"),
        "since": ("Phát hiện", "First seen"),
        "handling": ("Xử lý", "Handling"),
        "open_dag": ("Mở DAG", "Open DAG"),
        "never": ("Chưa chạy", "Never ran"),
        "never_compared": ("Chưa đối soát", "Never reconciled"),
        "none": ("Không có", "None"),
        "nothing": ("—", "—"),
        "next_step": ("Việc cần làm", "What to do"),
        "down_title": ("Không đọc được sổ cái", "The ledger can't be read"),
        "down_text": (
            "Trang giám sát không kết nối được với cơ sở dữ liệu của hosync. Việc đồng bộ có thể cũng đang dừng; "
            "không có dữ liệu nào bị mất.",
            "The monitor can't reach hosync's database. Syncing may have stopped too; no data is lost.",
        ),
        "down_step": (
            "Kiểm tra PostgreSQL đang chạy và HOSYNC_DATABASE_URL của API server, rồi chạy `hosync check`. "
            "Trang này tự tải lại.",
            "Check that PostgreSQL runs and what HOSYNC_DATABASE_URL of the API server says, then run `hosync check`. "
            "This page reloads by itself.",
        ),
        "no_systems": (
            "Danh mục chưa có hệ thống nào thuộc loại này.",
            "The catalog has no system of this kind yet.",
        ),
        "health_good": ("Bình thường", "Good"),
        "health_late": ("Chậm lịch", "Late"),
        "health_failed": ("Lỗi", "Failed"),
        "health_running": ("Đang chạy", "Running"),
        "health_never": ("Chưa chạy", "Never ran"),
        "health_unverified": ("Chưa đối soát", "Not verified"),
        "health_attention": ("Cần xem", "Needs a look"),
        "status_open": ("Đang mở", "Open"),
        "status_healing": ("Đang gửi lại", "Being sent again"),
        "status_closed": ("Đã đóng", "Closed"),
        "method_lookup": ("hỏi từng hồ sơ", "asked one by one"),
        "method_listing": ("so toàn bộ danh sách", "whole listing"),
        "method_counts": ("so số lượng", "by counts"),
    }
)

KINDS: MappingProxyType[BreakKind, tuple[str, str]] = MappingProxyType(
    {
        BreakKind.MISSING_AT_TARGET: ("Thiếu ở hệ thống đích", "Missing at target"),
        BreakKind.UNKNOWN_TO_US: ("Không có trong sổ cái", "Unknown to us"),
        BreakKind.STALE_AT_TARGET: ("Trạng thái cũ", "Stale at target"),
        BreakKind.MISMATCH: ("Khác nội dung", "Mismatch"),
        BreakKind.DUPLICATE: ("Trùng hồ sơ", "Duplicate"),
        BreakKind.REJECTED: ("Bị từ chối", "Rejected"),
        BreakKind.COUNT_MISMATCH: ("Lệch số lượng", "Counts differ"),
    }
)

FIELDS: MappingProxyType[str, tuple[str, str]] = MappingProxyType(
    {
        "received_at": ("tiếp nhận", "received"),
        "due_at": ("hẹn trả", "due"),
        "finished_at": ("kết thúc", "finished"),
        "procedure_code": ("thủ tục", "procedure"),
        "rows": ("số bản ghi", "rows"),
        "count": ("số lượng", "count"),
        "settled": ("đã xác nhận", "settled"),
        "in_flight": ("đang gửi", "in flight"),
        "doubtful": ("chưa rõ", "doubtful"),
        "doubled": ("có thể trùng", "perhaps doubled"),
    }
)

STATES_EN: MappingProxyType[State, str] = MappingProxyType(
    {state: state.name.replace("_", " ").capitalize() for state in State}
)


class Speech:
    """Says everything in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """The words for ``key``; ``values`` fill its gaps."""
        return self._choose(WORDS[key]).format(**values)

    def pair(self, pair: tuple[str, str]) -> str:
        """The part of a (Vietnamese, English) pair."""
        return self._choose(pair)

    def kind(self, kind: BreakKind | str) -> str:
        """The name of a kind of break."""
        return self._choose(KINDS[BreakKind(kind)])

    def handling(self, status: BreakStatus) -> str:
        """What is being done about a break."""
        return self(f"status_{status}")

    def state(self, number: int | None) -> str:
        """The name of a national state; its number when it is none of the ten."""
        if number is None:
            return self("nothing")
        try:
            state = State(number)
        except ValueError:
            return str(number)
        return LABELS_VI[state] if self.language is Language.VI else STATES_EN[state]

    def field(self, name: str) -> str:
        """The name of a compared field."""
        return self._choose(FIELDS.get(name, (name, name)))

    def value(self, value: object) -> str:
        """A compared value: numbers and times as the language writes them, anything else as it is."""
        if isinstance(value, int):
            return self.number(value)
        if value is None:
            return self("nothing")
        try:
            return self.moment(with_zone(datetime.fromisoformat(str(value))))
        except ValueError:
            return str(value)

    def number(self, number: int) -> str:
        """1.234 in Vietnamese, 1,234 in English."""
        text = f"{number:,}"
        return text.replace(",", ".") if self.language is Language.VI else text

    def moment(self, moment: datetime) -> str:
        """Day and minute in Vietnamese time."""
        local = moment.astimezone(VN)
        return f"{local:%H:%M %d/%m/%Y}" if self.language is Language.VI else f"{local:%Y-%m-%d %H:%M}"

    def clock(self, moment: datetime) -> str:
        """Time of day with seconds, and the day."""
        local = moment.astimezone(VN)
        return f"{local:%H:%M:%S, %d/%m/%Y}" if self.language is Language.VI else f"{local:%Y-%m-%d %H:%M:%S}"

    def age(self, age: timedelta) -> str:
        """How long ago, in its largest unit."""
        seconds = max(0, int(age.total_seconds()))
        for unit, vi, en in ((86_400, "ngày", "d"), (3_600, "giờ", "h"), (60, "phút", "min")):
            if seconds >= unit:
                count = seconds // unit
                return f"{count} {vi} trước" if self.language is Language.VI else f"{count} {en} ago"
        return "vừa xong" if self.language is Language.VI else "just now"

    def _choose(self, pair: tuple[str, str]) -> str:
        return pair[0] if self.language is Language.VI else pair[1]
