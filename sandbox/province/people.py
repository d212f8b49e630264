"""Invented people and enterprises: right in shape, impossible in fact.

Citizen ids begin with ``000099`` (there is no province 000), phones with ``0900``, tax codes with the unused prefix
``99`` (their check digit is right), and addresses lie in a province that does not exist. Mail goes to ``.invalid``.
"""

from typing import NamedTuple

from stdnum.vn import mst

from sandbox.province.draws import Draws, between, unit

_POPULATION = 1_000_000  # six free digits in a citizen id
_ENTERPRISES = 40_000
_OFFICERS = 200

_FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý")
_MEN = (
    ("Văn", "Hữu", "Đức", "Quốc", "Minh", "Thanh", "Công"),
    (
        "An",
        "Bình",
        "Cường",
        "Dũng",
        "Đạt",
        "Hải",
        "Hiếu",
        "Hùng",
        "Khánh",
        "Long",
        "Nghĩa",
        "Phúc",
        "Quân",
        "Sơn",
        "Tú",
    ),
)
_WOMEN = (
    ("Thị", "Ngọc", "Thu", "Thùy", "Kim", "Mỹ", "Bích"),
    (
        "Ánh",
        "Chi",
        "Duyên",
        "Hà",
        "Hạnh",
        "Huệ",
        "Lan",
        "Linh",
        "Mai",
        "Nguyệt",
        "Oanh",
        "Phương",
        "Thảo",
        "Trâm",
        "Yến",
    ),
)
_STREETS = ("Hoa Mẫu Đơn", "Cây Thử", "Bờ Kè", "Rạch Mẫu", "Chợ Thử", "Lê Thử Nghiệm")
_PLACES = ("phường An Mẫu", "phường Bình Thử", "xã Hòa Mẫu", "xã Khánh Thử", "xã Vĩnh Thử")
_COMPANY_KINDS = ("Công ty TNHH", "Công ty cổ phần", "Doanh nghiệp tư nhân", "Công ty TNHH một thành viên")
_COMPANY_NAMES = ("Mẫu Phát", "Thử Nghiệm Xanh", "Đại Mẫu", "Hòn Thử", "Tân Mẫu", "Sao Thử", "Biển Mẫu", "Lúa Thử")
_TRADES = ("thương mại", "xây dựng", "vận tải", "thủy sản", "du lịch", "nội thất", "dược phẩm", "cơ khí")


class Person(NamedTuple):
    """Somebody who does not exist. ``born`` is yyyy-MM-dd."""

    name: str
    citizen_id: str
    born: str
    phone: str
    email: str
    address: str


class Enterprise(NamedTuple):
    """A company that does not exist."""

    name: str
    tax_code: str


class People:
    """Everybody in the province, by number."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed, "people")
        self.officers = tuple(self._officer(number) for number in range(_OFFICERS))

    def person(self, draw: int) -> Person:
        """The person a drawn number falls on."""
        number = between(draw, 0, _POPULATION - 1)
        d = self._draws.of(number)
        return Person(
            name=_full_name(d[0], d[1], d[2]),
            citizen_id=f"000099{number:06d}",
            born=f"1999-{between(d[3], 1, 12):02d}-{between(d[4], 1, 28):02d}",
            phone=f"0900{number:06d}",
            email=f"cd{number:06d}@thu-nghiem.invalid",
            address=(
                f"Số {between(d[5], 1, 400)} đường {_STREETS[between(d[6], 0, 5)]}, "
                f"{_PLACES[between(d[7], 0, 4)]}, tỉnh Thử Nghiệm"
            ),
        )

    def enterprise(self, draw: int) -> Enterprise:
        """The enterprise a drawn number falls on."""
        number = between(draw, 1, _ENTERPRISES)
        d = self._draws.of(_POPULATION + number)
        kind, name, trade = _COMPANY_KINDS[d[0] % 4], _COMPANY_NAMES[d[1] % 8], _TRADES[d[2] % 8]
        return Enterprise(name=f"{kind} {trade} {name} {number}", tax_code=tax_code(number))

    def _officer(self, number: int) -> str:
        d = self._draws.of(_POPULATION + _ENTERPRISES + 1 + number)
        return _full_name(d[0], d[1], d[2])


def _full_name(family: int, sex_and_middle: int, given: int) -> str:
    middles, givens = _WOMEN if unit(sex_and_middle) < 0.5 else _MEN
    middle = middles[sex_and_middle % len(middles)]
    return f"{_FAMILY[between(family, 0, len(_FAMILY) - 1)]} {middle} {givens[between(given, 0, len(givens) - 1)]}"


def tax_code(number: int) -> str:
    """The ``number``-th ten-digit tax code with prefix 99 and a right check digit."""
    serial = number
    while True:
        stem = f"99{serial:07d}"
        check: str = mst.calc_check_digit(stem)
        if len(check) == 1:
            return stem + check
        # The check digit would be 10: such a number is never given out, so the next free range is taken.
        serial += _ENTERPRISES
