"""What can be applied for in the province, and where: sectors, procedures, agencies. All of it is invented.

The weights of five sectors are what a real province published for its on-the-spot counters in half a year (justice
2,600, environment 458, business 1,300, education 26, insurance 32,000, of 96,048 dossiers received); the other 59,664
are spread over the other sectors by guess. Procedure codes follow the national pattern but lie in an unused range
(``x.99xxxx``); field codes carry the unused ministry G99.
"""

from dataclasses import dataclass
from enum import StrEnum

from schemas.codes import SubjectKind

PUBLISHED_RECEIVED = 96_048
PUBLISHED_ONLINE = 80_535
PUBLISHED_ON_TIME = 0.994


class System(StrEnum):
    """The systems that know of the province's dossiers; what each is for stands in its module under ``systems/``."""

    GPLX = "gplx"
    DKKD = "dkkd"
    IGATE = "igate"
    OPENCPS = "opencps"
    HOTICH = "hotich"
    LLTP = "lltp"
    VBDLIS = "vbdlis"
    ILIS = "ilis"
    GTVT = "gtvt"
    BTXH = "btxh"
    TANSO = "tanso"
    BHXH = "bhxh"
    QLDC = "qldc"
    GIAODUC = "giaoduc"
    THUY = "thuy"
    CONGTHUONG = "congthuong"
    XAYDUNG = "xaydung"
    DIENLUC = "dienluc"
    NUOC = "nuoc"
    LAODONG = "laodong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """An office that receives dossiers. ``code`` is the short form."""

    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sector:
    """A field of administration. ``on_the_spot`` is the share of dossiers settled while the applicant waits."""

    field_code: str
    field_name: str
    weight: int
    on_the_spot: float
    agencies: tuple[Agency, ...]
    system: System = System.IGATE


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


def _department(number: int, name: str) -> tuple[Agency, ...]:
    return (Agency(code=f"H12.{number:02d}", name=f"{name} tỉnh Thử Nghiệm"),)


_COMMUNE_NAMES = (
    "phường An Mẫu", "phường Bình Thử", "phường Đông Mẫu", "phường Tân Thử", "xã Hòa Mẫu", "xã Khánh Thử",
    "xã Lộc Mẫu", "xã Phú Thử", "xã Thạnh Mẫu", "xã Vĩnh Thử", "xã Đất Mẫu", "đặc khu Hòn Thử",
)  # fmt: skip
COMMUNES = tuple(
    Agency(code=f"H12.{101 + number}", name=f"Ủy ban nhân dân {name}") for number, name in enumerate(_COMMUNE_NAMES)
)
OTHER_PROVINCES = ("H26.14", "H40.07", "H56.31")
"""Counters of other provinces, where dossiers are received for agencies of this one. Their numbers are made up."""

DRIVING = Sector(
    field_code="G99-GT02",
    field_name="Giấy phép lái xe",
    weight=7_000,
    on_the_spot=0.0,
    agencies=_department(7, "Trung tâm Giấy phép lái xe"),
    system=System.GPLX,
)
BUSINESS = Sector(
    field_code="G99-KD01",
    field_name="Thành lập và hoạt động của doanh nghiệp",
    weight=1_300,
    on_the_spot=0.10,
    agencies=_department(12, "Phòng Đăng ký kinh doanh"),
    system=System.DKKD,
)
_INSURANCE = Sector(
    field_code="G99-BH01",
    field_name="Bảo hiểm xã hội",
    weight=32_000,
    on_the_spot=0.45,
    agencies=_department(30, "Bảo hiểm xã hội"),
    system=System.BHXH,
)
_JUSTICE = Sector(field_code="G99-TP01", field_name="Hộ tịch", weight=2_600, on_the_spot=0.60, agencies=COMMUNES)
_CERTIFICATION = Sector(
    field_code="G99-TP02", field_name="Chứng thực", weight=2_800, on_the_spot=0.90, agencies=COMMUNES
)
_ENVIRONMENT = Sector(
    field_code="G99-MT01",
    field_name="Môi trường",
    weight=458,
    on_the_spot=0.05,
    agencies=_department(10, "Sở Nông nghiệp và Môi trường"),
    system=System.OPENCPS,
)
_EDUCATION = Sector(
    field_code="G99-GD01",
    field_name="Văn bằng, chứng chỉ",
    weight=26,
    on_the_spot=0.30,
    agencies=_department(5, "Sở Giáo dục và Đào tạo"),
    system=System.GIAODUC,
)
_ENROLMENT = Sector(
    field_code="G99-GD02",
    field_name="Tuyển sinh",
    weight=1_000,
    on_the_spot=0.0,
    agencies=_department(5, "Sở Giáo dục và Đào tạo"),
    system=System.GIAODUC,
)
_LAND = Sector(
    field_code="G99-DD01",
    field_name="Đất đai",
    weight=8_000,
    on_the_spot=0.0,
    agencies=_department(11, "Văn phòng Đăng ký đất đai"),
    system=System.OPENCPS,
)
_LAND_SURVEY = Sector(
    field_code="G99-DD02",
    field_name="Đo đạc, bản đồ và thông tin địa lý",
    weight=7_200,
    on_the_spot=0.0,
    agencies=_department(11, "Văn phòng Đăng ký đất đai"),
)
_SOCIAL = Sector(
    field_code="G99-LD01",
    field_name="Bảo trợ xã hội",
    weight=5_300,
    on_the_spot=0.05,
    agencies=COMMUNES,
    system=System.BTXH,
)
_TRANSPORT = Sector(
    field_code="G99-GT01",
    field_name="Đường bộ",
    weight=4_500,
    on_the_spot=0.15,
    agencies=_department(6, "Sở Xây dựng"),
    system=System.GTVT,
)
_TRADE = Sector(
    field_code="G99-CT01",
    field_name="Xúc tiến thương mại",
    weight=2_900,
    on_the_spot=0.30,
    agencies=_department(4, "Sở Công Thương"),
    system=System.CONGTHUONG,
)
_HEALTH = Sector(
    field_code="G99-YT01",
    field_name="Khám bệnh, chữa bệnh",
    weight=2_000,
    on_the_spot=0.02,
    agencies=_department(15, "Sở Y tế"),
    system=System.OPENCPS,
)
_CONSTRUCTION = Sector(
    field_code="G99-XD01",
    field_name="Hoạt động xây dựng",
    weight=3_100,
    on_the_spot=0.0,
    agencies=_department(6, "Sở Xây dựng"),
    system=System.XAYDUNG,
)
_HOUSEHOLD_BUSINESS = Sector(
    field_code="G99-KD02", field_name="Hộ kinh doanh", weight=1_100, on_the_spot=0.15, agencies=COMMUNES
)
_AGRICULTURE = Sector(
    field_code="G99-NN01",
    field_name="Thủy sản",
    weight=1_600,
    on_the_spot=0.10,
    agencies=_department(10, "Sở Nông nghiệp và Môi trường"),
)
_VETERINARY = Sector(
    field_code="G99-TY01",
    field_name="Thú y",
    weight=900,
    on_the_spot=0.20,
    agencies=_department(16, "Chi cục Chăn nuôi và Thú y"),
    system=System.THUY,
)
_JUDICIAL_RECORD = Sector(
    field_code="G99-TP03",
    field_name="Lý lịch tư pháp",
    weight=2_500,
    on_the_spot=0.0,
    agencies=_department(8, "Sở Tư pháp"),
)
_RESIDENCE = Sector(
    field_code="G99-CA01",
    field_name="Đăng ký, quản lý cư trú",
    weight=2_500,
    on_the_spot=0.10,
    agencies=_department(21, "Công an"),
    system=System.QLDC,
)
_WATER = Sector(
    field_code="G99-TN01",
    field_name="Tài nguyên nước",
    weight=1_500,
    on_the_spot=0.0,
    agencies=_department(10, "Sở Nông nghiệp và Môi trường"),
    system=System.NUOC,
)
_LABOUR = Sector(
    field_code="G99-LD02",
    field_name="Việc làm",
    weight=1_500,
    on_the_spot=0.0,
    agencies=_department(9, "Sở Nội vụ"),
    system=System.LAODONG,
)
_RADIO = Sector(
    field_code="G99-TT01",
    field_name="Tần số vô tuyến điện",
    weight=700,
    on_the_spot=0.0,
    agencies=_department(13, "Sở Khoa học và Công nghệ"),
    system=System.TANSO,
)
_ELECTRICITY = Sector(
    field_code="G99-DL01",
    field_name="Cung cấp điện",
    weight=1_500,
    on_the_spot=0.0,
    agencies=_department(31, "Công ty Điện lực"),
    system=System.DIENLUC,
)
_INTERIOR = Sector(
    field_code="G99-NV01",
    field_name="Thi đua, khen thưởng",
    weight=900,
    on_the_spot=0.0,
    agencies=_department(9, "Sở Nội vụ"),
    system=System.OPENCPS,
)
_CULTURE = Sector(
    field_code="G99-VH01",
    field_name="Văn hóa cơ sở",
    weight=1_164,
    on_the_spot=0.05,
    agencies=_department(14, "Sở Văn hóa, Thể thao và Du lịch"),
    system=System.OPENCPS,
)

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
    Procedure(code="1.990301", name="Cấp lại thẻ bảo hiểm y tế", sector=_INSURANCE, term_days=3, share=0.5),
    Procedure(code="1.990302", name="Hưởng trợ cấp thai sản", sector=_INSURANCE, term_days=6, share=0.3),
    Procedure(code="1.990303", name="Hưởng bảo hiểm xã hội một lần", sector=_INSURANCE, term_days=10, share=0.2),
    Procedure(
        code="1.990401",
        name="Đăng ký khai sinh",
        sector=_JUSTICE,
        term_days=1,
        share=0.5,
        through=(System.HOTICH, System.QLDC, System.BHXH),
    ),
    Procedure(
        code="1.990402",
        name="Đăng ký kết hôn",
        sector=_JUSTICE,
        term_days=2,
        share=0.2,
        level=3,
        through=(System.HOTICH,),
    ),
    Procedure(
        code="1.990403",
        name="Cấp bản sao trích lục hộ tịch",
        sector=_JUSTICE,
        term_days=1,
        share=0.3,
        through=(System.HOTICH,),
    ),
    Procedure(
        code="2.990404", name="Chứng thực bản sao từ bản chính", sector=_CERTIFICATION, term_days=1, share=1, level=3
    ),
    Procedure(code="1.992402", name="Gia hạn giấy phép lao động", sector=_LABOUR, term_days=30, share=0.8),
    Procedure(
        code="1.990501",
        name="Cấp giấy phép môi trường",
        sector=_ENVIRONMENT,
        term_days=20,
        share=1,
        subject=_ENTERPRISE,
        pays=True,
    ),
    Procedure(code="1.990601", name="Cấp bản sao văn bằng từ sổ gốc", sector=_EDUCATION, term_days=1, share=1),
    Procedure(
        code="1.990701",
        name="Đăng ký biến động quyền sử dụng đất",
        sector=_LAND,
        term_days=10,
        share=0.6,
        pays=True,
        through=(System.VBDLIS,),
    ),
    Procedure(
        code="1.990703",
        name="Trích đo, chỉnh lý bản đồ địa chính",
        sector=_LAND_SURVEY,
        term_days=7,
        share=1,
        pays=True,
        through=(System.ILIS,),
    ),
    Procedure(
        code="1.990702",
        name="Cấp đổi giấy chứng nhận quyền sử dụng đất",
        sector=_LAND,
        term_days=7,
        share=0.4,
        pays=True,
        level=3,
        through=(System.VBDLIS,),
    ),
    Procedure(code="1.990801", name="Trợ cấp xã hội hằng tháng", sector=_SOCIAL, term_days=10, share=0.7, level=3),
    Procedure(code="1.990802", name="Hỗ trợ chi phí mai táng", sector=_SOCIAL, term_days=5, share=0.3),
    Procedure(
        code="2.990901",
        name="Cấp phù hiệu xe ô tô kinh doanh vận tải",
        sector=_TRANSPORT,
        term_days=2,
        share=1,
        subject=_ENTERPRISE,
    ),
    Procedure(
        code="2.991001",
        name="Thông báo hoạt động khuyến mại",
        sector=_TRADE,
        term_days=1,
        share=1,
        subject=_ENTERPRISE,
    ),
    Procedure(code="1.991101", name="Cấp giấy phép hành nghề y", sector=_HEALTH, term_days=15, share=1, pays=True),
    Procedure(
        code="1.991201",
        name="Cấp chứng chỉ năng lực hoạt động xây dựng",
        sector=_CONSTRUCTION,
        term_days=14,
        share=0.4,
        subject=_ENTERPRISE,
        pays=True,
    ),
    Procedure(code="1.991202", name="Cấp giấy phép xây dựng nhà ở", sector=_CONSTRUCTION, term_days=10, share=0.6),
    Procedure(
        code="1.991301", name="Đăng ký thành lập hộ kinh doanh", sector=_HOUSEHOLD_BUSINESS, term_days=3, share=1
    ),
    Procedure(
        code="1.992302",
        name="Cấp giấy phép khai thác nước mặt",
        sector=_WATER,
        term_days=40,
        share=0.8,
        subject=_ENTERPRISE,
        pays=True,
    ),
    Procedure(
        code="1.991401",
        name="Đăng ký tàu cá",
        sector=_AGRICULTURE,
        term_days=3,
        share=1,
        level=3,
        subject=_ENTERPRISE,
    ),
    Procedure(
        code="1.991501",
        name="Tặng bằng khen về thành tích đột xuất",
        sector=_INTERIOR,
        term_days=15,
        share=1,
        level=2,
        subject=SubjectKind.STATE_AGENCY,
    ),
    Procedure(
        code="1.991601",
        name="Cấp phép tổ chức biểu diễn nghệ thuật",
        sector=_CULTURE,
        term_days=5,
        share=1,
        subject=SubjectKind.ORGANISATION,
    ),
    Procedure(
        code="1.991701",
        name="Cấp Phiếu lý lịch tư pháp số 1",
        sector=_JUDICIAL_RECORD,
        term_days=10,
        share=1,
        through=(System.LLTP,),
    ),
    Procedure(code="1.991801", name="Đăng ký thường trú", sector=_RESIDENCE, term_days=5, share=1),
    Procedure(
        code="1.991901",
        name="Cấp giấy phép sử dụng tần số vô tuyến điện",
        sector=_RADIO,
        term_days=12,
        share=1,
        subject=_ENTERPRISE,
        pays=True,
    ),
    Procedure(code="1.992001", name="Cấp điện mới từ lưới điện hạ áp", sector=_ELECTRICITY, term_days=3, share=1),
    Procedure(code="1.992101", name="Tuyển sinh trung học phổ thông", sector=_ENROLMENT, term_days=7, share=1, level=3),
    Procedure(
        code="1.992301",
        name="Cấp giấy phép khai thác nước dưới đất",
        sector=_WATER,
        term_days=40,
        share=0.2,
        subject=_ENTERPRISE,
    ),
    Procedure(
        code="1.992401", name="Cấp giấy phép lao động cho người nước ngoài", sector=_LABOUR, term_days=30, share=0.2
    ),
    Procedure(
        code="1.992201",
        name="Cấp giấy chứng nhận kiểm dịch động vật",
        sector=_VETERINARY,
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
