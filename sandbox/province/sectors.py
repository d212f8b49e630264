"""Where something can be applied for in the province: systems, agencies and sectors. All of it is invented.

The weights of five sectors are what a real province published for its on-the-spot counters in half a year (justice
2,600, environment 458, business 1,300, education 26, insurance 32,000, of 96,048 dossiers received); the other 59,664
are spread over the other sectors by guess. Field codes carry the unused ministry G99.
"""

from dataclasses import dataclass
from enum import StrEnum

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
INSURANCE = Sector(
    field_code="G99-BH01",
    field_name="Bảo hiểm xã hội",
    weight=32_000,
    on_the_spot=0.45,
    agencies=_department(30, "Bảo hiểm xã hội"),
    system=System.BHXH,
)
JUSTICE = Sector(field_code="G99-TP01", field_name="Hộ tịch", weight=2_600, on_the_spot=0.60, agencies=COMMUNES)
CERTIFICATION = Sector(
    field_code="G99-TP02", field_name="Chứng thực", weight=2_800, on_the_spot=0.90, agencies=COMMUNES
)
ENVIRONMENT = Sector(
    field_code="G99-MT01",
    field_name="Môi trường",
    weight=458,
    on_the_spot=0.05,
    agencies=_department(10, "Sở Nông nghiệp và Môi trường"),
    system=System.OPENCPS,
)
EDUCATION = Sector(
    field_code="G99-GD01",
    field_name="Văn bằng, chứng chỉ",
    weight=26,
    on_the_spot=0.30,
    agencies=_department(5, "Sở Giáo dục và Đào tạo"),
    system=System.GIAODUC,
)
ENROLMENT = Sector(
    field_code="G99-GD02",
    field_name="Tuyển sinh",
    weight=1_000,
    on_the_spot=0.0,
    agencies=_department(5, "Sở Giáo dục và Đào tạo"),
    system=System.GIAODUC,
)
LAND = Sector(
    field_code="G99-DD01",
    field_name="Đất đai",
    weight=8_000,
    on_the_spot=0.0,
    agencies=_department(11, "Văn phòng Đăng ký đất đai"),
    system=System.OPENCPS,
)
LAND_SURVEY = Sector(
    field_code="G99-DD02",
    field_name="Đo đạc, bản đồ và thông tin địa lý",
    weight=7_200,
    on_the_spot=0.0,
    agencies=_department(11, "Văn phòng Đăng ký đất đai"),
)
SOCIAL = Sector(
    field_code="G99-LD01",
    field_name="Bảo trợ xã hội",
    weight=5_300,
    on_the_spot=0.05,
    agencies=COMMUNES,
    system=System.BTXH,
)
TRANSPORT = Sector(
    field_code="G99-GT01",
    field_name="Đường bộ",
    weight=4_500,
    on_the_spot=0.15,
    agencies=_department(6, "Sở Xây dựng"),
    system=System.GTVT,
)
TRADE = Sector(
    field_code="G99-CT01",
    field_name="Xúc tiến thương mại",
    weight=2_900,
    on_the_spot=0.30,
    agencies=_department(4, "Sở Công Thương"),
    system=System.CONGTHUONG,
)
HEALTH = Sector(
    field_code="G99-YT01",
    field_name="Khám bệnh, chữa bệnh",
    weight=2_000,
    on_the_spot=0.02,
    agencies=_department(15, "Sở Y tế"),
    system=System.OPENCPS,
)
CONSTRUCTION = Sector(
    field_code="G99-XD01",
    field_name="Hoạt động xây dựng",
    weight=3_100,
    on_the_spot=0.0,
    agencies=_department(6, "Sở Xây dựng"),
    system=System.XAYDUNG,
)
HOUSEHOLD_BUSINESS = Sector(
    field_code="G99-KD02", field_name="Hộ kinh doanh", weight=1_100, on_the_spot=0.15, agencies=COMMUNES
)
AGRICULTURE = Sector(
    field_code="G99-NN01",
    field_name="Thủy sản",
    weight=1_600,
    on_the_spot=0.10,
    agencies=_department(10, "Sở Nông nghiệp và Môi trường"),
)
VETERINARY = Sector(
    field_code="G99-TY01",
    field_name="Thú y",
    weight=900,
    on_the_spot=0.20,
    agencies=_department(16, "Chi cục Chăn nuôi và Thú y"),
    system=System.THUY,
)
JUDICIAL_RECORD = Sector(
    field_code="G99-TP03",
    field_name="Lý lịch tư pháp",
    weight=2_500,
    on_the_spot=0.0,
    agencies=_department(8, "Sở Tư pháp"),
)
RESIDENCE = Sector(
    field_code="G99-CA01",
    field_name="Đăng ký, quản lý cư trú",
    weight=2_500,
    on_the_spot=0.10,
    agencies=_department(21, "Công an"),
    system=System.QLDC,
)
WATER = Sector(
    field_code="G99-TN01",
    field_name="Tài nguyên nước",
    weight=1_500,
    on_the_spot=0.0,
    agencies=_department(10, "Sở Nông nghiệp và Môi trường"),
    system=System.NUOC,
)
LABOUR = Sector(
    field_code="G99-LD02",
    field_name="Việc làm",
    weight=1_500,
    on_the_spot=0.0,
    agencies=_department(9, "Sở Nội vụ"),
    system=System.LAODONG,
)
RADIO = Sector(
    field_code="G99-TT01",
    field_name="Tần số vô tuyến điện",
    weight=700,
    on_the_spot=0.0,
    agencies=_department(13, "Sở Khoa học và Công nghệ"),
    system=System.TANSO,
)
ELECTRICITY = Sector(
    field_code="G99-DL01",
    field_name="Cung cấp điện",
    weight=1_500,
    on_the_spot=0.0,
    agencies=_department(31, "Công ty Điện lực"),
    system=System.DIENLUC,
)
INTERIOR = Sector(
    field_code="G99-NV01",
    field_name="Thi đua, khen thưởng",
    weight=900,
    on_the_spot=0.0,
    agencies=_department(9, "Sở Nội vụ"),
    system=System.OPENCPS,
)
CULTURE = Sector(
    field_code="G99-VH01",
    field_name="Văn hóa cơ sở",
    weight=1_164,
    on_the_spot=0.05,
    agencies=_department(14, "Sở Văn hóa, Thể thao và Du lịch"),
    system=System.OPENCPS,
)
