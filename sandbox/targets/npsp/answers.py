"""How the portal words its answers. Always HTTP 200; what happened is in error_code and message.

Seen in public clients: success spelled 0, "0" and "00" (older and newer clients compare with different ones), a
success only when the message says so too, "already exists" with error_code 3 and -3, and -1 as the general failure.
A real portal spells consistently at any one time; this one takes the spellings in turn, so that a client that knows
only one of them is found out. The wording of the session message is assumed.
"""

from itertools import cycle
from typing import Any

from sandbox.targets.npsp.rules import Refusal
from sandbox.targets.npsp.store import Clash

BAD_LOGIN: dict[str, Any] = {"session": None, "error_code": "-1", "message": "Sai thông tin đăng nhập"}
NO_SESSION = Refusal("-1", "Phiên làm việc (session) không hợp lệ hoặc đã hết hạn")
NO_ROUTE = Refusal("-1", "Thiếu hoặc sai dstcode: không xác định được hệ thống đích")
NO_UNIT = Refusal("-1", "Dữ liệu không hợp lệ: thiếu madonvi")
NO_SERVICE = Refusal("-1", "Dịch vụ (service) không tồn tại hoặc không được cấp quyền")
NOT_JSON = Refusal("-1", "Dữ liệu không hợp lệ: nội dung không phải JSON")
BAD_FLAG = Refusal("-1", 'Dữ liệu không hợp lệ: isUpdating phải là "True" hoặc "False"')

ALREADY_RATED = Refusal("3", "Dữ liệu đánh giá của tháng đã tồn tại trên hệ thống")
BAD_TYPE = Refusal("-1", 'Dữ liệu không hợp lệ: type phải là "2"')


def missing(name: str) -> Refusal:
    """A parameter of the service that was not sent."""
    return Refusal("0", f"Dữ liệu không hợp lệ: thiếu {name}")


class Wording:
    """Spells answers, taking turns where several spellings are known."""

    def __init__(self) -> None:
        self._success = cycle(((0, "Đồng bộ thành công"), ("0", "Thành công"), ("00", "Thành công")))
        self._exists = cycle((Refusal("3", "Hồ sơ đã tồn tại trên hệ thống"), Refusal("-3", "Mã hồ sơ đã tồn tại")))

    def success(self, **more: Any) -> dict[str, Any]:
        """A success in the next spelling, with what else the service answers."""
        error_code, message = next(self._success)
        return {"error_code": error_code, "message": message, **more}

    def clash(self, clash: Clash) -> Refusal:
        """Why a well-formed batch was not applied."""
        if clash is Clash.EXISTS:
            return next(self._exists)
        return Refusal("-1", "Hồ sơ không tồn tại trên hệ thống")
