"""What the commands say in Vietnamese and English. Help texts stay in the commands; this is what they print.

A message is looked up by its English text: the code stays readable, and what is missing here is shown in English.
"""

from __future__ import annotations

import os
from enum import StrEnum

from cli.told import in_vietnamese
from schemas.states import LABELS_VI, State

_VI = {
    # hosync up
    "State": "Trạng thái",
    "starting": "đang khởi động",
    "ready": "sẵn sàng",
    "stopping": "đang dừng",
    "stopped": "đã dừng",
    "waiting": "đang chờ",
    "PostgreSQL": "PostgreSQL",
    "Ledger tables": "Bảng sổ cái",
    "Simulated province": "Tỉnh mô phỏng",
    "Airflow tables": "Bảng của Airflow",
    "DAGs": "DAG",
    "Everything is ready after {seconds:.0f} s.": "Mọi thứ đã sẵn sàng sau {seconds:.0f} giây.",
    "Ended what an earlier start left behind: {names}.": "Đã dọn tiến trình còn sót của lần chạy trước: {names}.",
    "Stopping; Ctrl-C again ends everything at once.": "Đang dừng; nhấn Ctrl-C lần nữa để dừng ngay.",
    "Everything has stopped after {seconds:.1f} s.": "Mọi thứ đã dừng sau {seconds:.1f} giây.",
    "Running. Ctrl-C stops everything.": "Đang chạy. Nhấn Ctrl-C để dừng.",
    "From now on what changes in a source is at the targets within a minute.": (
        "Từ bây giờ, thay đổi ở hệ thống nguồn đến các hệ thống đích trong vòng một phút."
    ),
    "Where to look": "Xem ở đâu",
    "Airflow": "Airflow",
    "Sync monitor": "Giám sát đồng bộ",
    "User": "Người dùng",
    "Password": "Mật khẩu",
    "Ours and theirs agree: {seconds:.0f} s from start to finish.": "Hai bên khớp nhau, sau {seconds:.0f} giây.",
    "No `hosync up` runs in {home}.": "Không có `hosync up` nào chạy trong {home}.",
    "Stopped the `hosync up` (process {pid}) in {home}.": "Đã dừng `hosync up` (tiến trình {pid}) trong {home}.",
    "{target}: {due} due, {sending} being sent, {doubt} in doubt": (
        "{target}: {due} chờ gửi, {sending} đang gửi, {doubt} chưa rõ kết quả"
    ),
    "{target}: not compared since the last delivery": "{target}: chưa đối soát đầy đủ sau lần gửi cuối",
    "{target}: {number} dossiers were in flight": "{target}: {number} hồ sơ vừa gửi, chưa đối soát được",
    "{dag}: the numbers do not add up": "{dag}: các con số không cân đối",
    "{target}: {number} open breaks": "{target}: {number} sai lệch còn mở",
    "{target}: {number} dossiers refused for good": "{target}: {number} hồ sơ bị từ chối hẳn",
    "{target}: {number} messages given up in doubt": "{target}: {number} bản tin không rõ kết quả, không gửi lại nữa",
    "Open that page: it shows every case and what to do about it.": (
        "Mở trang đó: có từng trường hợp và việc cần làm."
    ),
    "Interrupted. Nothing is lost: run it again.": "Đã dừng giữa chừng. Không mất dữ liệu: chạy lại.",
    # hosync catalogues
    "Asking {target} for its catalogues": "Đang hỏi danh mục của {target}",
    "Catalogues of {target}": "Danh mục của {target}",
    "Catalogue": "Danh mục",
    "Entries": "Số mục",
    "Added": "Thêm",
    "Gone": "Mất",
    "Pulled": "Lấy lúc",
    "Nothing was pulled yet.": "Chưa lấy danh mục lần nào.",
    "Not published by {target}": "Không có trong danh mục của {target}",
    "Agency": "Cơ quan",
    "Code": "Mã",
    "For example": "Ví dụ",
    "procedure": "thủ tục",
    "agency": "cơ quan",
    "field": "lĩnh vực",
    "These dossiers wait until {target} publishes the code.": "Các hồ sơ này chờ đến khi {target} công bố mã.",
    "{target} does not publish: {code}": "{target} không công bố: {code}",
    # progress, status
    "Pulls": "Thu thập",
    "Calls": "Cuộc gọi đến",
    "Stored": "Đã lưu",
    "Repeated": "Lặp lại",
    "No secret": "Sai mã",
    "Waiting since": "Chờ từ",
    "Deliveries": "Gửi",
    "From the change to its acknowledgement, last hour": "Từ thay đổi đến xác nhận, trong giờ qua",
    "Told by": "Biết qua",
    "a call": "cuộc gọi đến",
    "looking": "đọc nguồn",
    "Messages": "Bản tin",
    "By the source's clock": "Theo giờ ở nguồn",
    "Followed": "Theo dõi",
    "by schedule": "theo lịch",
    "Late": "Trễ",
    "Half within": "Một nửa trong",
    "95 % within": "95 % trong",
    "Longest": "Lâu nhất",
    "paused": "đang tạm dừng",
    "quiet hours": "giờ bảo trì",
    "wants to be left alone": "đề nghị tạm ngừng gọi",
    "does not answer": "không trả lời",
    "calls of the day used up": "hết lượt gọi trong ngày",
    "others make all the calls it takes": "các tiến trình khác đang dùng hết số cuộc gọi cho phép",
    "slowed to {share} %": "giảm tốc còn {share} %",
    "Reconciliation": "Đối soát",
    "System": "Hệ thống",
    "Target": "Hệ thống đích",
    "Fetched": "Đã lấy",
    "New": "Mới",
    "Changed": "Thay đổi",
    "Unchanged": "Không đổi",
    "Stale": "Cũ hơn",
    "Quarantined": "Cách ly",
    "Set aside": "Cách ly",
    "Balance": "Cân đối",
    "balanced": "khớp",
    "NOT balanced": "KHÔNG khớp",
    "Rate": "Tốc độ",
    "Run": "Lượt chạy",
    "Delivered": "Đã gửi",
    "Due": "Chờ gửi",
    "Being sent": "Đang gửi",
    "In doubt": "Chưa rõ",
    "Refused": "Bị từ chối",
    "Ours": "Bên ta",
    "Theirs": "Bên kia",
    "Matched": "Khớp",
    "In flight": "Đang gửi",
    "Breaks": "Sai lệch",
    "Open breaks": "Sai lệch còn mở",
    "Method": "Cách đối soát",
    "Ended": "Kết thúc",
    "Healed": "Đã gửi lại",
    "Held back": "Chờ duyệt",
    "Dossiers": "Hồ sơ",
    "none": "không",
    "never": "chưa bao giờ",
    "cannot be asked": "không hỏi được",
    "queued": "đang đợi",
    "running": "đang chạy",
    "success": "xong",
    "failed": "lỗi",
    "succeeded": "xong",
    "interrupted": "bị ngắt",
    # connectors
    "Sources": "Hệ thống nguồn",
    "Targets": "Hệ thống đích",
    "Title": "Tên",
    "Protocol": "Giao thức",
    "How": "Cách đọc / nhận",
    "Schedule": "Lịch",
    "Last success": "Lần cuối thành công",
    "Waiting": "Đang chờ",
    "template": "mẫu",
    "by hand": "chạy tay",
    "{ago} ago": "{ago} trước",
    "good": "tốt",
    "late": "trễ",
    "unverified": "chưa đối soát",
    "attention": "cần xem",
    # new
    "Written: {file}": "Đã ghi: {file}",
    "State code '{code}' has no meaning yet: its records are set aside until the table 'state' names it.": (
        "Mã trạng thái '{code}' chưa có nghĩa: hồ sơ mang mã này được cách ly cho đến khi bảng 'state' có mã."
    ),
    "Next: read the mapping, set AIRFLOW_CONN_{name}, then": (
        "Tiếp theo: đọc lại tệp ánh xạ, đặt AIRFLOW_CONN_{name}, rồi chạy"
    ),
    "Code of the agency that runs it (H12.06)": "Mã đơn vị quản lý hệ thống (H12.06)",
    "Title in Vietnamese": "Tên tiếng Việt",
    "Title in English": "Tên tiếng Anh",
    "Name of the agency {agency} in Vietnamese": "Tên tiếng Việt của đơn vị {agency}",
    "State code '{code}' means (1 to 10; press Enter if you don't know)": (
        "Mã trạng thái '{code}' nghĩa là (1 đến 10; nhấn Enter nếu chưa biết)"
    ),
    "Channel code '{code}' has no meaning yet: its records are set aside until the table 'channel' names it.": (
        "Mã kênh nộp '{code}' chưa có nghĩa: hồ sơ mang mã này được cách ly cho đến khi bảng 'channel' có mã."
    ),
    "Assumed, as nothing tells it: {field} is {value} ({meaning}) in every dossier. Correct it if not.": (
        "Tạm coi mọi hồ sơ có {field} là {value} ({meaning}) vì không có gì cho biết. Hãy sửa nếu không đúng."
    ),
    "filed at the counter": "nộp trực tiếp",
    "a citizen": "công dân",
    "an enterprise": "doanh nghiệp",
    "Cancelled; nothing is written.": "Đã hủy; chưa ghi tệp nào.",
    "Run it again; `hosync new --help` lists the options that answer its questions.": (
        "Chạy lại; `hosync new --help` liệt kê các tùy chọn để trả lời sẵn."
    ),
    # whatif
    "Trying on archived pages of {system}": "Đang thử trên các trang đã lưu của {system}",
    "what the ledger holds": "nội dung trong sổ cái",
    "{number} records were stored by this very mapping and need no look.": (
        "{number} bản ghi đã được lưu bằng chính ánh xạ này, không cần xem lại."
    ),
    "{number} pages cannot be read again: {why}": "{number} trang không đọc lại được: {why}",
    "The archive holds no record to try it on.": "Kho lưu trữ không có bản ghi nào để thử.",
    "Looked back to {moment} only; --limit goes further.": "Chỉ xem ngược đến {moment}; tăng --limit để xem thêm.",
    "What would change": "Những gì sẽ thay đổi",
    "What": "Nội dung",
    "Records": "Bản ghi",
    "Same": "Giữ nguyên",
    "Read otherwise": "Hiểu khác đi",
    "Newly set aside": "Sẽ bị cách ly",
    "Newly understood": "Sẽ hiểu được",
    "Still set aside": "Vẫn cách ly",
    "A newer reading counts": "Đã có bản mới hơn",
    "An end state stays until the mapping's `version` is greater than the one it was read with: count it up.": (
        "Trạng thái kết thúc được giữ nguyên cho tới khi `version` của tệp ánh xạ lớn hơn lúc đọc: hãy tăng số đó lên."
    ),
    "To have what is stored read so: `hosync pull {system} --full`.": (
        "Để những gì đã lưu được đọc lại như vậy: `hosync pull {system} --full`."
    ),
    "What was set aside comes in with `hosync redrive {system}`.": (
        "Những gì đang cách ly sẽ được đưa vào bằng `hosync redrive {system}`."
    ),
    "Field": "Trường",
    "Fields": "Các trường",
    "Rule": "Quy tắc",
    "Such as": "Ví dụ",
    "States that would move": "Trạng thái sẽ đổi",
    "not understood": "chưa hiểu được",
    "{number} dossiers would get new steps.": "{number} hồ sơ sẽ có thêm bước xử lý.",
    "Sent again": "Phải gửi lại",
    "Could not be sent any more": "Không còn gửi được",
    # quality
    "Flagged": "Cần bổ sung",
    "Indicators": "Chỉ số",
    "What is missing": "Thiếu gì",
    "Nothing is flagged.": "Không có hồ sơ nào cần bổ sung.",
    "Dossiers that the indicators of decision 766 do not count in full": (
        "Hồ sơ chưa được tính đủ theo bộ chỉ số Quyết định 766"
    ),
    "indicator {numbers}: {why}": "chỉ số {numbers}: {why}",
    # redrive
    "Mapping again: {system}": "Đang xử lý lại: {system}",
    "Records set aside, mapped again": "Hồ sơ cách ly, xử lý lại",
    "Tried": "Đã thử",
    "Why": "Lý do",
    # a ledger that has woken up
    "The ledger was restored from a backup (noticed at {moment}): the targets may know newer states, so nothing is "
    "delivered or corrected until it has caught up.": (
        "Sổ cái vừa được khôi phục từ bản sao lưu (phát hiện lúc {moment}): hệ thống đích có thể đang giữ trạng thái "
        "mới hơn, nên chưa gửi và chưa sửa gì cho đến khi sổ cái đọc lại đầy đủ."
    ),
    "The database was started at {moment}. What differs at a target is corrected once its systems have been read "
    "since: should these be the files of a backup, the target knows better.": (
        "Cơ sở dữ liệu khởi động lúc {moment}. Sai lệch ở hệ thống đích chỉ được sửa sau khi đọc lại các hệ thống "
        "nguồn liên quan: nếu đây là tệp của bản sao lưu thì hệ thống đích đang đúng hơn."
    ),
    "Not read since: {systems}. Now: hosync pull {systems}": (
        "Từ lúc đó chưa đọc: {systems}. Hãy chạy: hosync pull {systems}"
    ),
    "These tell each change only once: {systems}. Have them tell again what they told since the backup (hosync pull "
    "SYSTEM --from DAY, or their owners), then: hosync resume --after-restore": (
        "Các hệ thống chỉ báo mỗi thay đổi một lần: {systems}. Hãy để chúng báo lại những gì đã báo từ lúc sao lưu "
        "(hosync pull SYSTEM --from DAY, hoặc nhờ đơn vị quản lý), rồi chạy: hosync resume --after-restore"
    ),
    "our ledger was restored and reads everything again first": "sổ cái vừa được khôi phục, đang đọc lại các nguồn",
    "Deliveries and corrections go on with the next push.": "Lượt gửi sau sẽ gửi và sửa tiếp.",
    "No restored ledger is waited for.": "Không có sổ cái nào đang chờ sau khôi phục.",
    "caught_up": "xác nhận sau khôi phục",
    # dead, resend, replay, pause, resume
    "Dossiers that do not get through": "Hồ sơ không gửi được",
    "Last time": "Lần cuối",
    "Mend what is wrong, then: hosync resend {target} --reason …": (
        "Khắc phục nguyên nhân, rồi chạy: hosync resend {target} --reason …"
    ),
    "{target}: {number} dossiers are due again; the next push sends them.": (
        "{target}: {number} hồ sơ chờ gửi lại; lượt gửi kế tiếp sẽ gửi."
    ),
    "Making due again: {target}": "Đang đưa vào hàng gửi lại: {target}",
    "{number} were on their way already, and arrive as they are.": "{number} hồ sơ đang trên đường gửi, giữ nguyên.",
    "{number} are dead and stay so: hosync dead {target}": (
        "{number} hồ sơ không gửi được, vẫn để nguyên: hosync dead {target}"
    ),
    "{target} is paused. Go on with: hosync resume {target}": (
        "Đã tạm dừng gửi tới {target}. Gửi tiếp: hosync resume {target}"
    ),
    "{target} is paused and goes on at {moment}.": "Đã tạm dừng gửi tới {target} đến {moment}.",
    "{target} goes on with the next push.": "{target}: lượt gửi kế tiếp sẽ gửi bình thường.",
    "{target} was not paused.": "{target} không bị tạm dừng.",
    "What people did by hand": "Thao tác thủ công của cán bộ",
    "When": "Thời điểm",
    "Who": "Người thực hiện",
    "Done": "Thao tác",
    "Asked for": "Yêu cầu",
    "resend": "gửi lại",
    "replay": "gửi lại khoảng thời gian",
    "pause": "tạm dừng",
    "resume": "gửi tiếp",
    "Why they were refused: hosync dead {target}": "Xem lý do bị từ chối: hosync dead {target}",
    # reports, statistics
    "Reports": "Báo cáo",
    "Reports to {target}": "Báo cáo gửi {target}",
    "Reporting to {target}": "Đang gửi báo cáo tới {target}",
    "Report": "Báo cáo",
    "Month": "Tháng",
    "Last month": "Tháng gần nhất",
    "Sent": "Đã gửi",
    "Sent at": "Gửi lúc",
    "Reason": "Lý do",
    "Changed since": "Đã đổi sau khi gửi",
    "changed since": "số liệu đã đổi sau khi gửi",
    "satisfaction": "mức độ hài lòng",
    "statistics": "thống kê hồ sơ",
    "report sent": "đã gửi",
    "report due": "chờ gửi",
    "report on its way": "đang gửi",
    "report in doubt": "chưa rõ kết quả",
    "report refused": "bị từ chối",
    "report given up in doubt": "không rõ kết quả, không gửi lại",
    "{target}: {accepted} reports sent, {failed} refused or given up, {remaining} left.": (
        "{target}: đã gửi {accepted} báo cáo, {failed} bị từ chối hoặc không rõ kết quả, còn lại {remaining}."
    ),
    "{target}: the last month waits until these have been read: {systems}.": (
        "{target}: tháng gần nhất chờ thu thập xong từ: {systems}."
    ),
    "{target}: the reports are not sent yet": "{target}: chưa gửi xong báo cáo",
    "{target}: {number} reports refused": "{target}: {number} báo cáo bị từ chối",
    "{target}: {number} reports given up in doubt": "{target}: {number} báo cáo không rõ kết quả, không gửi lại nữa",
    "{number} dossiers that citizens rated in {month} are unknown here.": (
        "{number} hồ sơ được đánh giá trong tháng {month} chưa có trong sổ cái."
    ),
    "Dossiers of {month}": "Hồ sơ tháng {month}",
    "Altogether": "Tổng cộng",
    "Received": "Mới tiếp nhận",
    "Brought in": "Kỳ trước chuyển sang",
    "Total": "Tổng số",
    "Solved in time": "Giải quyết đúng hạn",
    "Solved late": "Giải quyết quá hạn",
    "Pending": "Đang giải quyết, trong hạn",
    "Overdue": "Đang giải quyết, quá hạn",
    # break kinds
    "duplicate": "trùng",
    "rejected": "bị từ chối",
    "missing at target": "thiếu ở bên kia",
    "unknown to us": "bên ta không có",
    "stale at target": "bên kia cũ hơn",
    "mismatch": "khác nội dung",
    "count mismatch": "lệch số lượng",
    # single commands
    "Pages": "Trang",
    "Pulling {system}": "Đang thu thập {system}",
    "Delivering to {target}": "Đang gửi tới {target}",
    "Taking calls of {systems} at {address}": "Đang nhận cuộc gọi của {systems} tại {address}",
    "Telling where dossiers stand at {address}": "Đang trả lời tra cứu trạng thái hồ sơ tại {address}",
    "The key of {name}, shown this once: {key}": "Khóa của {name}, chỉ hiện một lần này: {key}",
    "Add to 'keys' in the extra of connection {connection}:": (
        "Thêm vào 'keys' trong phần extra của kết nối {connection}:"
    ),
    "Following {systems}. Ctrl-C ends it.": "Đang theo dõi {systems}. Nhấn Ctrl-C để dừng.",
    "{system}: {new} new, {changed} changed": "{system}: {new} mới, {changed} thay đổi",
    "{target}: {number} messages taken": "{target}: đã nhận {number} bản tin",
    "Comparing with {target}": "Đang đối soát với {target}",
    "Accepted": "Đã nhận",
    "Rejected": "Từ chối",
    "Retry": "Gửi lại sau",
    "Given up": "Bỏ",
    "Perhaps doubled": "Có thể trùng",
    "Asked": "Hỏi lại",
    "Left": "Còn lại",
    "Check": "Kiểm tra",
    "Result": "Kết quả",
    "What to do": "Việc cần làm",
    "ok": "đạt",
    "warning": "cảnh báo",
    "As it comes": "Nguyên bản",
    "As we understand it": "Sau chuẩn hóa",
    "As {target} gets it": "Gửi tới {target}",
    "The source gave no record.": "Hệ thống nguồn không trả về hồ sơ nào.",
    "Texts of a record that could not be read are masked; --reveal shows them.": (
        "Nội dung chữ của hồ sơ chưa đọc được bị che; dùng --reveal để hiện ra."
    ),
    "As the ledger knows it": "Theo sổ cái",
    "Since": "Từ lúc",
    "Precedence": "Độ ưu tiên",
    "home": "tiếp nhận",
    "first seen {moment}": "thấy lần đầu {moment}",
    "No other system knows this dossier.": "Không hệ thống nào khác biết hồ sơ này.",
    "{system} counts: its event is the latest.": "Tính theo {system}: sự kiện mới nhất.",
    "{system} counts: of events at the same time, an end stands.": (
        "Tính theo {system}: cùng thời điểm thì trạng thái kết thúc được giữ."
    ),
    "{system} counts: of events at the same time, the higher precedence is believed.": (
        "Tính theo {system}: cùng thời điểm thì theo hệ thống có độ ưu tiên cao hơn."
    ),
    "{system} counts: it has dated an end; the others do not say since when their state holds.": (
        "Tính theo {system}: đã kết thúc và có ghi thời điểm; các hệ thống khác không cho biết từ lúc nào."
    ),
    "{system} counts: the others have at most forwarded the dossier.": (
        "Tính theo {system}: các hệ thống khác mới chuyển hồ sơ đi."
    ),
    "There is no ledger to ask what other systems told.": ("Không hỏi được sổ cái xem các hệ thống khác đã báo gì."),
    "Missing from the last whole list of {system}: {number} dossiers since {moment}, first {codes}": (
        "Không còn trong danh sách đầy đủ mới nhất của {system}: {number} hồ sơ từ {moment}, đầu tiên {codes}"
    ),
    "Error": "Lỗi",
    "Where": "Ở đâu",
}


class Language(StrEnum):
    """The language of what a command prints."""

    VI = "vi"
    EN = "en"


class Texts:
    """Looks messages up in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, english: str, **values: object) -> str:
        """The message in this language, with its values filled in."""
        text = _VI.get(english, english) if self.language is Language.VI else english
        return text.format(**values) if values else text

    def told(self, sentence: str) -> str:
        """What a floor below says, in this language as far as it is known."""
        return self.pick(vi=in_vietnamese(sentence), en=sentence)

    def state(self, state: State) -> str:
        """A national state in words."""
        return self.pick(vi=LABELS_VI[state], en=state.name.replace("_", " ").capitalize())

    def pick(self, *, vi: str, en: str) -> str:
        """The one of two texts that is in this language."""
        return vi if self.language is Language.VI else en


def default_language() -> Language:
    """HOSYNC_LANG, else Vietnamese; an unknown value counts as not set."""
    named = os.environ.get("HOSYNC_LANG", "").strip().lower()
    return Language(named) if named in set(Language) else Language.VI
