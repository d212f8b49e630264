"""What the floors below say, in Vietnamese: the lines of `hosync check` and what an error tells people to do.

Below this floor everything speaks English, for logs and for machines. A sentence is recognised by its form, and its
names and numbers are carried over; one that is not known here is shown as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

_VI = {
    # what was checked
    "mapping": "ánh xạ",
    "contract": "hợp đồng",
    "connection": "kết nối",
    "secret": "mã an toàn",
    "certificate": "chứng thư số",
    "sign-in": "đăng nhập",
    "read": "đọc thử",
    "operation": "hàm",
    "drift": "WSDL hiện hành",
    "contract drift": "lệch hợp đồng",
    "mapping coverage": "độ phủ ánh xạ",
    "page": "trang thử",
    "targets": "các đích",
    "examples": "ví dụ",
    # reports
    "nobody knows whether it arrived, and the target can't be asked": (
        "không rõ đã đến nơi chưa, và không hỏi được hệ thống đích"
    ),
    # all well
    "version {version} can be used": "dùng được, phiên bản {version}",
    "the snapshot {file} is there": "có bản chụp {file}",
    "snapshot {file}": "có bản chụp {file}",
    "http{address} answers": "http{address} trả lời",
    "signed in": "đã đăng nhập",
    "there is nothing to sign in to: the first read tells whether we are let in": (
        "không có bước đăng nhập; lần đọc đầu tiên cho biết có được vào không"
    ),
    "the system answers as the catalog says": "hệ thống trả lời đúng như danh mục mô tả",
    "the service answers": "dịch vụ trả lời",
    "the contract has {operations}": "hợp đồng có {operations}",
    "the live WSDL says what the contract says": "WSDL hiện hành giống hợp đồng",
    "{number} records are as the contract says": "{number} bản ghi đúng hợp đồng",
    "every field that holds something is mapped or ignored with a reason": (
        "mọi trường có dữ liệu đều đã ánh xạ hoặc bỏ qua có lý do"
    ),
    "{good} of {all} records are understood": "hiểu được {good}/{all} bản ghi",
    "{number} dossiers are fit for {targets}": "{number} hồ sơ đủ điều kiện gửi tới {targets}",
    "all {number} come out as written": "cả {number} ví dụ đều đúng",
    "this system calls us; what it said is in the inbox": "hệ thống này tự gọi đến; nội dung nằm trong hộp thư đến",
    "our certificate {file} is good until {day}": "chứng thư số {file} của ta còn hiệu lực đến {day}",
    # not well
    "our certificate {file} is good until {day} only": "chứng thư số {file} của ta chỉ còn hiệu lực đến {day}",
    "the certificate of {host} is good until {day} only": "chứng thư số của {host} chỉ còn hiệu lực đến {day}",
    "Tell the owner of the system: once it is over, no call gets through": (
        "Báo đơn vị quản lý hệ thống: khi hết hạn sẽ không gọi được nữa"
    ),
    "our certificate {file} ended on {day}": "chứng thư số {file} của ta đã hết hạn ngày {day}",
    "{good} of {all} records are understood; set aside: {reasons}; unknown codes: {codes}": (
        "hiểu được {good}/{all} bản ghi; cách ly: {reasons}; mã chưa biết: {codes}"
    ),
    "{good} of {all} records are understood; set aside: {reasons}": (
        "hiểu được {good}/{all} bản ghi; cách ly: {reasons}"
    ),
    "the contract has no operation '{name}'; it has: {names}": "hợp đồng không có hàm '{name}'; có: {names}",
    "the contract has no port '{name}'; it has: {names}": "hợp đồng không có cổng '{name}'; có: {names}",
    "the contract has no binding for SOAP over HTTP": "hợp đồng không có ràng buộc SOAP qua HTTP",
    "no record to look at": "không có bản ghi nào để xem",
    "it is only asked about dossiers that we hold, and none is known here": (
        "chỉ hỏi được về hồ sơ ta đang giữ, mà ở đây chưa có hồ sơ nào"
    ),
    "schemas/wire/{file} does not exist": "không có tệp schemas/wire/{file}",
    # what to do
    "Ask the owner what the codes mean and add them to 'tables' in {file}": (
        "Hỏi đơn vị quản lý nghĩa của các mã rồi thêm vào 'tables' trong {file}"
    ),
    "Correct {file}; `hosync preview {system} --reveal` shows the records": (
        "Sửa {file}; `hosync preview {system} --reveal` cho xem các bản ghi"
    ),
    "Map it, or name it under 'ignore' in {file}": "Ánh xạ trường đó, hoặc ghi vào 'ignore' trong {file}",
    "Fill {fields} in {file}; `hosync preview {system}` shows what each target would get": (
        "Điền {fields} trong {file}; `hosync preview {system}` cho xem từng đích sẽ nhận gì"
    ),
    "Correct {file}: its fields first, where another line names one, then its examples": (
        "Sửa {file}: trước hết các trường mà dòng khác nêu tên, sau đó các ví dụ"
    ),
    "Is 'contract: {contract}' in {file} right? Most of these fields are not in it": (
        "'contract: {contract}' trong {file} có đúng không? Phần lớn các trường này không có trong đó"
    ),
    "Ask the owner what has changed, then correct schemas/wire/{contract} and mapping '{mapping}'": (
        "Hỏi đơn vị quản lý đã đổi gì, rồi sửa schemas/wire/{contract} và ánh xạ '{mapping}'"
    ),
    "Correct 'contract' in {file}, or add the file": "Sửa 'contract' trong {file}, hoặc thêm tệp đó",
    "Apply for a new one in time, then put its file into the extra of the connection": (
        "Xin cấp chứng thư mới kịp thời, rồi đặt tệp của chứng thư vào phần extra của kết nối"
    ),
    "Check again once there is one": "Kiểm tra lại khi đã có bản ghi",
    "Pull the systems that bring those dossiers, then check again": (
        "Thu thập các hệ thống mang hồ sơ đó đến, rồi kiểm tra lại"
    ),
    "Correct the mapping '{mapping}'": "Sửa ánh xạ '{mapping}'",
    "Check host and port of the connection and that the system is up": (
        "Kiểm tra máy chủ và cổng trong kết nối, và hệ thống có đang chạy không"
    ),
    "Check login and password of connection '{connection}'": (
        "Kiểm tra tên đăng nhập và mật khẩu của kết nối '{connection}'"
    ),
    "Compare options.request.path in the catalog entry, and the connection's host, with the owner's document": (
        "So options.request.path trong danh mục và máy chủ trong kết nối với tài liệu của đơn vị quản lý"
    ),
    "Compare options.request in the catalog entry with the owner's document": (
        "So options.request trong danh mục với tài liệu của đơn vị quản lý"
    ),
    "Compare its parameters (options.request, in the catalog entry) with the owner's document": (
        "So các tham số (options.request trong danh mục) với tài liệu của đơn vị quản lý"
    ),
    "Compare options.path in the catalog entry and the connection's host with the service's address": (
        "So options.path trong danh mục và máy chủ trong kết nối với địa chỉ của dịch vụ"
    ),
    "Ask the owner what the account may read": "Hỏi đơn vị quản lý xem tài khoản được đọc những gì",
    "Correct options.answer.records in the catalog entry; if it was right until now, compare the contract": (
        "Sửa options.answer.records trong danh mục; nếu trước nay vẫn đúng thì so lại hợp đồng"
    ),
    "Get the WSDL again as schemas/wire/{contract}, compare, and adapt the mapping": (
        "Lấy lại WSDL vào schemas/wire/{contract}, so sánh rồi sửa ánh xạ"
    ),
    "Correct the catalog, then run `hosync check`.": "Sửa danh mục, rồi chạy `hosync check`.",
    "Correct the mapping, then run `hosync check`.": "Sửa ánh xạ, rồi chạy `hosync check`.",
    "Run `hosync check {system}`.": "Chạy `hosync check {system}`.",
    "Choose another name, or remove the file.": "Chọn tên khác, hoặc xóa tệp đó.",
    "Did you mean '{name}'? Known: {names}.": "Có phải ý bạn là '{name}'? Có: {names}.",
    "Known: {names}.": "Có: {names}.",
    "there is no system '{name}'": "không có hệ thống '{name}'",
    "there is no source '{name}'": "không có hệ thống nguồn '{name}'",
    "there is no target '{name}'": "không có hệ thống đích '{name}'",
    "{file} is there already.": "{file} đã có.",
    "No target is named.": "Chưa nêu tên hệ thống đích.",
    "Write hosync resume TARGET, or hosync resume --after-restore.": (
        "Viết hosync resume TARGET, hoặc hosync resume --after-restore."
    ),
    "Start everything with `hosync up`, or set HOSYNC_DATABASE_URL to a PostgreSQL that runs.": (
        "Khởi động bằng `hosync up`, hoặc đặt HOSYNC_DATABASE_URL tới một PostgreSQL đang chạy."
    ),
}

_NAME = re.compile(r"\\{(\w+)\\}")


def in_vietnamese(sentence: str) -> str:
    """The sentence in Vietnamese, or as it is when nobody has translated it."""
    if sentence in _VI:
        return _VI[sentence]
    for form, vietnamese in _forms():
        if found := form.fullmatch(sentence):
            return vietnamese.format(**found.groupdict())
    return sentence


@lru_cache(maxsize=1)
def _forms() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The sentences with names in them, those that say most first: they may be special cases of others."""
    forms = sorted((english for english in _VI if "{" in english), key=len, reverse=True)
    return tuple(
        (re.compile(_NAME.sub(r"(?P<\1>.+?)", re.escape(english)), re.DOTALL), _VI[english]) for english in forms
    )
