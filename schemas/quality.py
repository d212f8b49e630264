"""What a dossier must carry for the indicators of decision 766/QD-TTg to count it: rules as data, read in two places.

A dossier that breaks a rule is pushed all the same; it is only flagged, because the portal would silently leave it out
of an indicator, or count it against the agency. ``flags`` judges one dossier (for a preview); the ledger judges all of
them at once with the same rules as SQL, and a test holds the two against each other.

How a dossier was filed (the channel) and in which state it is cannot be missing: the common schema requires both. A
mapping that fills in a guess is where to look when the split by channel seems wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from schemas.codes import Channel, SubjectKind
from schemas.dossier import Dossier
from schemas.identifiers import procedure_stem
from schemas.states import State


class Fact(StrEnum):
    """Something that a dossier has or lacks."""

    SUBMITTED_AT = "submitted_at"
    RECEIVED_AT = "received_at"
    DUE_AT = "due_at"
    ENDED_AT = "ended_at"  # when processing ended, or at least when the result was handed over
    RESULT_CODE = "result_code"
    RESULT_LINK = "result_link"
    IDENTITY = "identity"
    NATIONAL_PROCEDURE = "national_procedure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """In one of ``states``, filed by ``channel``, by ``subject`` (``None``: any), a dossier must have ``needs``.

    ``indicators`` are those of decision 766 that suffer. ``vi`` and ``en`` say what is missing and what it costs.
    """

    name: str
    indicators: tuple[str, ...]
    needs: Fact
    states: frozenset[State]
    channel: Channel | None = None
    subject: SubjectKind | None = None
    vi: str
    en: str


_ALL = frozenset(State)
_TAKEN_IN = _ALL - {State.REGISTERED, State.REJECTED, State.WITHDRAWN}
_FINISHED = frozenset({State.COMPLETED, State.RETURNED})

RULES: tuple[Rule, ...] = (
    Rule(
        name="no_receipt",
        indicators=("1.4", "2.1"),
        needs=Fact.RECEIVED_AT,
        states=_TAKEN_IN,
        vi="Thiếu ngày tiếp nhận: hồ sơ không được tính là đã đồng bộ và không được tính tiến độ.",
        en="No day of receipt: not counted as synchronised, nor as on time.",
    ),
    Rule(
        name="no_due_date",
        indicators=("2.1",),
        needs=Fact.DUE_AT,
        states=_TAKEN_IN,
        vi="Thiếu ngày hẹn trả: tiến độ bị so với thời hạn tối đa của thủ tục.",
        en="No due date: measured against the longest time that the procedure allows.",
    ),
    Rule(
        name="no_end",
        indicators=("2.1", "2.2"),
        needs=Fact.ENDED_AT,
        states=_FINISHED,
        vi="Đã xong nhưng thiếu ngày kết thúc xử lý và ngày trả: bị tính như chưa xong.",
        en="Finished, but neither an end nor a hand-over is dated: counted as unfinished.",
    ),
    Rule(
        name="no_result_code",
        indicators=("3.3", "4.1"),
        needs=Fact.RESULT_CODE,
        states=_FINISHED,
        vi="Đã có kết quả nhưng thiếu mã giấy tờ kết quả: không được tính kết quả điện tử.",
        en="Finished, but no result paper has a code: no electronic result is counted.",
    ),
    Rule(
        name="no_result_link",
        indicators=("3.3", "4.1"),
        needs=Fact.RESULT_LINK,
        states=_FINISHED,
        vi="Đã có kết quả nhưng thiếu đường dẫn tệp kết quả: không được tính kết quả điện tử.",
        en="Finished, but no result paper has a link: no electronic result is counted.",
    ),
    Rule(
        name="no_submission",
        indicators=("1.4", "3.3"),
        needs=Fact.SUBMITTED_AT,
        states=_ALL,
        channel=Channel.ONLINE,
        vi="Nộp trực tuyến nhưng thiếu ngày nộp: có thể rơi ra ngoài kỳ báo cáo.",
        en="Filed online, but the day of filing is missing: may fall out of the period.",
    ),
    Rule(
        name="no_identity",
        indicators=("4.5",),
        needs=Fact.IDENTITY,
        states=_TAKEN_IN,
        subject=SubjectKind.CITIZEN,
        vi="Thiếu số định danh của công dân: không được tính khai thác dữ liệu dân cư.",
        en="The citizen's number is missing: use of population data is not counted.",
    ),
    Rule(
        name="local_procedure",
        indicators=("1.4", "3.2"),
        needs=Fact.NATIONAL_PROCEDURE,
        states=_ALL,
        vi="Mã thủ tục không phải mã quốc gia: Cổng quốc gia không biết hồ sơ thuộc thủ tục nào.",
        en="The procedure has no national code: the portal cannot tell which procedure it is.",
    ),
)
"""In the order in which they are shown."""

NATIONAL_PROCEDURE = r"^\d\.\d{6}$"
"""The stem of a procedure that has a national code, as a regular expression of Python and PostgreSQL alike."""

_HAS: Mapping[Fact, Callable[[Dossier], bool]] = MappingProxyType(
    {
        Fact.SUBMITTED_AT: lambda dossier: dossier.submitted_at is not None,
        Fact.RECEIVED_AT: lambda dossier: dossier.received_at is not None,
        Fact.DUE_AT: lambda dossier: dossier.due_at is not None,
        Fact.ENDED_AT: lambda dossier: dossier.finished_at is not None or dossier.returned_at is not None,
        Fact.RESULT_CODE: lambda dossier: any(paper.code for paper in dossier.results),
        Fact.RESULT_LINK: lambda dossier: any(paper.url for paper in dossier.results),
        Fact.IDENTITY: lambda dossier: bool(dossier.applicant.identity_number),
        Fact.NATIONAL_PROCEDURE: lambda dossier: procedure_stem(dossier.procedure_code)[0].isdigit(),
    }
)


def flags(dossier: Dossier) -> Sequence[Rule]:
    """The rules that the dossier breaks, in their order."""
    return [rule for rule in RULES if _concerns(rule, dossier) and not _HAS[rule.needs](dossier)]


def _concerns(rule: Rule, dossier: Dossier) -> bool:
    return (
        dossier.state in rule.states
        and rule.channel in (None, dossier.channel)
        and rule.subject in (None, dossier.subject_kind)
    )
