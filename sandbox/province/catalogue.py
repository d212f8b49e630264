"""What can be applied for in the province: procedures. All of them are invented.

Procedure codes follow the national pattern but lie in an unused range (``x.99xxxx``).
"""

from dataclasses import dataclass

from sandbox.province.sectors import (
    AGRICULTURE,
    BUSINESS,
    CERTIFICATION,
    CONSTRUCTION,
    CULTURE,
    DRIVING,
    EDUCATION,
    ELECTRICITY,
    ENROLMENT,
    ENVIRONMENT,
    HEALTH,
    HOUSEHOLD_BUSINESS,
    INSURANCE,
    INTERIOR,
    JUDICIAL_RECORD,
    JUSTICE,
    LABOUR,
    LAND,
    LAND_SURVEY,
    RADIO,
    RESIDENCE,
    SOCIAL,
    TRADE,
    TRANSPORT,
    VETERINARY,
    WATER,
    Sector,
    System,
)
from schemas.codes import SubjectKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """One procedure. ``term_days`` working days are allowed; ``pays`` says that a fee may be asked for on the way.

    ``through`` are the systems that its dossiers are forwarded to, one after the other, by the one that received them.
    """

    code: str
    name: str
    sector: Sector
    term_days: int
    share: float
    level: int = 4
    pays: bool = False
    subject: SubjectKind = SubjectKind.CITIZEN
    through: tuple[System, ...] = ()


_ENTERPRISE = SubjectKind.ENTERPRISE

PROCEDURES: tuple[Procedure, ...] = (
    Procedure(code="1.990101", name="Đổi giấy phép lái xe", sector=DRIVING, term_days=5, share=0.7, pays=True),
    Procedure(code="1.990102", name="Cấp lại giấy phép lái xe", sector=DRIVING, term_days=10, share=0.2, pays=True),
    Procedure(code="1.990103", name="Cấp giấy phép lái xe quốc tế", sector=DRIVING, term_days=5, share=0.1),
    Procedure(
        code="2.990201",
        name="Đăng ký thành lập công ty TNHH một thành viên",
        sector=BUSINESS,
        term_days=3,
        share=0.4,
        subject=_ENTERPRISE,
        pays=True,
    ),
    Procedure(
        code="2.990202",
        name="Đăng ký thay đổi nội dung đăng ký doanh nghiệp",
        sector=BUSINESS,
        term_days=3,
        share=0.5,
        subject=_ENTERPRISE,
    ),
    Procedure(
        code="2.990203",
        name="Đăng ký giải thể doanh nghiệp",
        sector=BUSINESS,
        term_days=5,
        share=0.1,
        subject=_ENTERPRISE,
    ),
    Procedure(code="1.990301", name="Cấp lại thẻ bảo hiểm y tế", sector=INSURANCE, term_days=3, share=0.5),
    Procedure(code="1.990302", name="Hưởng trợ cấp thai sản", sector=INSURANCE, term_days=6, share=0.3),
    Procedure(code="1.990303", name="Hưởng bảo hiểm xã hội một lần", sector=INSURANCE, term_days=10, share=0.2),
    Procedure(
        code="1.990401",
        name="Đăng ký khai sinh",
        sector=JUSTICE,
        term_days=1,
        share=0.5,
        through=(System.HOTICH, System.QLDC, System.BHXH),
    ),
    Procedure(
        code="1.990402",
        name="Đăng ký kết hôn",
        sector=JUSTICE,
        term_days=2,
        share=0.2,
        level=3,
        through=(System.HOTICH,),
    ),
    Procedure(
        code="1.990403",
        name="Cấp bản sao trích lục hộ tịch",
        sector=JUSTICE,
        term_days=1,
        share=0.3,
        through=(System.HOTICH,),
    ),
    Procedure(
        code="2.990404", name="Chứng thực bản sao từ bản chính", sector=CERTIFICATION, term_days=1, share=1, level=3
    ),
    Procedure(code="1.992402", name="Gia hạn giấy phép lao động", sector=LABOUR, term_days=30, share=0.8),
    Procedure(
        code="1.990501",
        name="Cấp giấy phép môi trường",
        sector=ENVIRONMENT,
        term_days=20,
        share=1,
        subject=_ENTERPRISE,
        pays=True,
    ),
    Procedure(code="1.990601", name="Cấp bản sao văn bằng từ sổ gốc", sector=EDUCATION, term_days=1, share=1),
    Procedure(
        code="1.990701",
        name="Đăng ký biến động quyền sử dụng đất",
        sector=LAND,
        term_days=10,
        share=0.6,
        pays=True,
        through=(System.VBDLIS,),
    ),
    Procedure(
        code="1.990703",
        name="Trích đo, chỉnh lý bản đồ địa chính",
        sector=LAND_SURVEY,
        term_days=7,
        share=1,
        pays=True,
        through=(System.ILIS,),
    ),
    Procedure(
        code="1.990702",
        name="Cấp đổi giấy chứng nhận quyền sử dụng đất",
        sector=LAND,
        term_days=7,
        share=0.4,
        pays=True,
        level=3,
        through=(System.VBDLIS,),
    ),
    Procedure(code="1.990801", name="Trợ cấp xã hội hằng tháng", sector=SOCIAL, term_days=10, share=0.7, level=3),
    Procedure(code="1.990802", name="Hỗ trợ chi phí mai táng", sector=SOCIAL, term_days=5, share=0.3),
    Procedure(
        code="2.990901",
        name="Cấp phù hiệu xe ô tô kinh doanh vận tải",
        sector=TRANSPORT,
        term_days=2,
        share=1,
        subject=_ENTERPRISE,
    ),
    Procedure(
        code="2.991001",
        name="Thông báo hoạt động khuyến mại",
        sector=TRADE,
        term_days=1,
        share=1,
        subject=_ENTERPRISE,
    ),
    Procedure(code="1.991101", name="Cấp giấy phép hành nghề y", sector=HEALTH, term_days=15, share=1, pays=True),
    Procedure(
        code="1.991201",
        name="Cấp chứng chỉ năng lực hoạt động xây dựng",
        sector=CONSTRUCTION,
        term_days=14,
        share=0.4,
        subject=_ENTERPRISE,
        pays=True,
    ),
    Procedure(code="1.991202", name="Cấp giấy phép xây dựng nhà ở", sector=CONSTRUCTION, term_days=10, share=0.6),
    Procedure(code="1.991301", name="Đăng ký thành lập hộ kinh doanh", sector=HOUSEHOLD_BUSINESS, term_days=3, share=1),
    Procedure(
        code="1.992302",
        name="Cấp giấy phép khai thác nước mặt",
        sector=WATER,
        term_days=40,
        share=0.8,
        subject=_ENTERPRISE,
        pays=True,
    ),
    Procedure(
        code="1.991401",
        name="Đăng ký tàu cá",
        sector=AGRICULTURE,
        term_days=3,
        share=1,
        level=3,
        subject=_ENTERPRISE,
    ),
    Procedure(
        code="1.991501",
        name="Tặng bằng khen về thành tích đột xuất",
        sector=INTERIOR,
        term_days=15,
        share=1,
        level=2,
        subject=SubjectKind.STATE_AGENCY,
    ),
    Procedure(
        code="1.991601",
        name="Cấp phép tổ chức biểu diễn nghệ thuật",
        sector=CULTURE,
        term_days=5,
        share=1,
        subject=SubjectKind.ORGANISATION,
    ),
    Procedure(
        code="1.991701",
        name="Cấp Phiếu lý lịch tư pháp số 1",
        sector=JUDICIAL_RECORD,
        term_days=10,
        share=1,
        through=(System.LLTP,),
    ),
    Procedure(code="1.991801", name="Đăng ký thường trú", sector=RESIDENCE, term_days=5, share=1),
    Procedure(
        code="1.991901",
        name="Cấp giấy phép sử dụng tần số vô tuyến điện",
        sector=RADIO,
        term_days=12,
        share=1,
        subject=_ENTERPRISE,
        pays=True,
    ),
    Procedure(code="1.992001", name="Cấp điện mới từ lưới điện hạ áp", sector=ELECTRICITY, term_days=3, share=1),
    Procedure(code="1.992101", name="Tuyển sinh trung học phổ thông", sector=ENROLMENT, term_days=7, share=1, level=3),
    Procedure(
        code="1.992301",
        name="Cấp giấy phép khai thác nước dưới đất",
        sector=WATER,
        term_days=40,
        share=0.2,
        subject=_ENTERPRISE,
    ),
    Procedure(
        code="1.992401", name="Cấp giấy phép lao động cho người nước ngoài", sector=LABOUR, term_days=30, share=0.2
    ),
    Procedure(
        code="1.992201",
        name="Cấp giấy chứng nhận kiểm dịch động vật",
        sector=VETERINARY,
        term_days=1,
        share=1,
        level=3,
    ),
)

WEIGHTS: tuple[float, ...] = tuple(one.sector.weight * one.share for one in PROCEDURES)
"""How often each procedure is applied for, in dossiers of the published half-year."""

FORWARDED_TO = frozenset(system for one in PROCEDURES for system in one.through)
"""The systems that dossiers of others are forwarded to."""


def siblings(procedure: Procedure) -> tuple[Procedure, ...]:
    """The procedures of the same sector, for which this one may be mistaken at the counter."""
    return tuple(one for one in PROCEDURES if one.sector is procedure.sector and one is not procedure)
