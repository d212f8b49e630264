"""The ``options`` of target entries, one model per protocol. Paths are added to the connection's base URL.

Like the whole catalog this is read at every parse of the DAG files: it imports no transport.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from connectors.catalog_models import InDoubt, Message, Operation, Part, ReconcileMethod, TargetEntry
from connectors.options.paths import UrlPath

CodeForm = Literal["long", "short"]
NationalState = Annotated[int, Field(ge=1, le=10)]


class NpspWords(Part):
    """Phrases by which the portal's messages are told apart: lower case, without accents, matched anywhere.

    Success is looked for first and counts only with a success code; then the first list that matches decides, in the
    order session, setup, busy, missing, exists; what matches none is refused. No list of wordings is published: these
    have been seen or are likely, and a new one is a change in the catalog, not in code.
    """

    success: tuple[str, ...] = ("thanh cong", "success")
    """None at all: the success code is enough."""
    not_success: tuple[str, ...] = ("khong thanh cong", "chua thanh cong", "unsuccess", "not success")
    """Phrases that hold a success phrase and mean the opposite."""
    session: tuple[str, ...] = ("phien lam viec", "phien dang nhap", "dang nhap lai", "chua dang nhap", "session")
    setup: tuple[str, ...] = ("dstcode", "madonvi", "dich vu (service)", "duoc cap quyen", "apikey")
    """A setting of ours is refused, not the data: everything waits for a person."""
    busy: tuple[str, ...] = ("thu lai sau", "bao tri", "qua tai", "he thong dang ban", "too many requests")
    missing: tuple[str, ...] = (
        "ho so khong ton tai",
        "ho so chua ton tai",
        "khong ton tai ho so",
        "khong tim thay ho so",
    )
    exists: tuple[str, ...] = ("da ton tai", "already exist")
    refused: tuple[str, ...] = ("khong hop le",)
    """What makes a bare text, which has no code, a refusal; with none of these it says neither yes nor no."""


class DispatchCalls(Part):
    """One URL signs in, one takes every service: ``session``, ``madonvi`` and ``service`` stand in the body."""

    style: Literal["dispatch"] = "dispatch"
    """One address, the service named in the body."""
    login_path: UrlPath = "/mapi/login"
    """Where a session is asked for."""
    call_path: UrlPath = "/mapi/g"
    """Where every service is called."""
    session_s: float = Field(default=600, gt=0)
    """How long a session is used before a new one is asked for; an earlier end is noticed and renewed."""


class ServiceCalls(Part):
    """One URL for each service, the agency and ``isUpdating`` in the query; the adapter holds the session."""

    style: Literal["services"]
    """One address for each service."""
    base_path: UrlPath = "/api/SynsTTHCC"
    """What comes before the name of the service."""


class UrlCalls(Part):
    """Three addresses, to insert, to update and for steps; the adapter holds the session and knows the agency."""

    style: Literal["urls"]
    """An address for each of the three."""
    insert_path: UrlPath
    """Where dossiers go that it does not know."""
    update_path: UrlPath
    """Where dossiers go that it knows."""
    progress_path: UrlPath
    """Where steps go."""
    notice_path: UrlPath | None = None
    """Where notices go about dossiers that were filed on the portal, if the adapter has such an address."""
    ratings_path: UrlPath | None = None
    """Where reports of satisfaction go, if the adapter has such an address."""


class FiledThere(Part):
    """Dossiers that were filed on the portal itself, and that it holds under their national code."""

    told_by: Literal["steps", "notices", "both"] = "both"
    """How it learns of their progress: by steps (CapNhatTienDoHoSoMC), as of all others; by notices
    (DongBoTrangThaiHoSo), one call each; or by both. Which codes a notice may carry says the mapping's table
    ``notice_state``."""


class NpspOptions(Part):
    """National Public Service Portal behind its adapter. They differ in how they are called, not in what they do."""

    calls: DispatchCalls | ServiceCalls | UrlCalls = Field(default=DispatchCalls(), discriminator="style")
    """How it is called. Of the three styles only ``dispatch`` is known to answer questions."""
    reads: DispatchCalls | None = None
    """Where it is asked what it holds, when ``calls`` has another style and the adapter offers ``dispatch`` beside it.
    The connection's login and password are for this."""
    unit: str = Field(min_length=1)
    """``madonvi``, the sending agency's code; the connection's extra ``madonvi`` comes before it."""
    dstcode: str = ""
    """Where the adapter routes to; the connection's extra ``dstcode`` comes before it."""
    code_form: CodeForm = "long"
    """The written form of dossier codes there: ``000.00.12.H12-…`` or ``H12.12-…``. It is asked for first."""
    filed_there: FiledThere = FiledThere()
    """Dossiers that were filed on the portal itself."""
    exists_codes: tuple[str, ...] = ("3", "-3")
    setup_codes: tuple[str, ...] = ("-300", "-301", "-302", "-303", "-304")
    words: NpspWords = NpspWords()

    @property
    def asking(self) -> DispatchCalls | None:
        """Where a dossier can be looked up; ``None`` where it cannot."""
        return self.calls if isinstance(self.calls, DispatchCalls) else self.reads

    def misfits(self, entry: TargetEntry) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """What of ``entry`` needs a look-up where there is none: the key to blame, what is wrong, what to write."""
        if isinstance(self.calls, DispatchCalls) and self.reads is not None:
            yield ("options", "reads"), "not needed", "calls of style 'dispatch' answer questions themselves: remove it"
        if isinstance(self.calls, UrlCalls) and not self.calls.notice_path and self.filed_there.told_by != "steps":
            where = ("options", "filed_there", "told_by")
            yield where, "style 'urls' has no address for notices", "write steps, or add options.calls.notice_path"
        if isinstance(self.calls, UrlCalls) and not self.calls.ratings_path and entry.reports:
            fix = "add options.calls.ratings_path, or remove reports"
            yield ("reports", "satisfaction"), "style 'urls' has no address for reports", fix
        if self.asking is not None:
            return
        style = f"style '{self.calls.style}' answers no questions"
        others = "or add options.reads where the adapter offers 'dispatch' too"
        for name in Message:
            operation: Operation | None = getattr(entry.operations, name.value)
            if operation is not None and operation.in_doubt is InDoubt.ASK:
                where = ("operations", name.value, "in_doubt")
                yield where, style, f"write resend (a record sent again overwrites itself), {others}"
        if entry.catalogues is not None:
            yield ("catalogues",), style, f"remove it: they are asked for the same way, {others}"
        if entry.is_compared:
            yield ("reconcile", "method"), style, f"write none (what was delivered is never verified), {others}"


class DossierSearch(Part):
    """The provincial system's own dossier search (OpenCPS form).

    Connection extra: ``group_id``; ``search_login``, ``search_password``, ``search_url`` where the search has its own.
    """

    path: UrlPath = "/o/rest/v2/dossiers"
    page_size: int = Field(default=200, ge=2, le=5000)
    attempts: int = Field(default=3, ge=1, le=20)
    """How often a listing that lost its place is begun again before it is given up."""
    states: Mapping[str, NationalState]
    """``dossierStatus`` -> national state."""
    sub_states: Mapping[str, NationalState] = Field(default_factory=dict)
    """``dossierSubStatus`` -> national state; comes before ``states``."""


class LgspDocumentOptions(Part):
    """LGSP Document API to write, OpenCPS dossier search to read."""

    token_path: UrlPath = "/token"
    document_path: UrlPath = "/consumerAdapter/Document/SyncDocument"
    traces_path: UrlPath = "/consumerAdapter/Document/UpdateDocumentTraces"
    statistics_path: UrlPath = "/consumerAdapter/Statistic/UpdateStatistic"
    """Where a month's statistics go. (A public client puts a blank behind it.)"""
    votes_path: UrlPath = "/consumerAdapter/Vote/UpdateVote"
    """Where a month's satisfaction goes."""
    success_status: tuple[int, ...] = (1,)
    """Values of ``Status`` in an answer that mean: done."""
    code_form: CodeForm = "short"
    """The written form of dossier codes there: ``H12.12-…`` or ``000.00.12.H12-…``. It is asked for first."""
    search: DossierSearch


class EmcOptions(Part):
    """EMC event tracking. The connection's extra ``site_id`` is the only credential."""

    tracking_path: UrlPath = "/TrackingMCDT"
    encoding: Literal["json", "form"] = "json"
    export_path: UrlPath = "/dashboard"
    export_query: Mapping[str, str] = Field(default_factory=lambda: {"format": "csv"})
    """With the path: the CSV export of the dashboard, the only thing that can be read back."""

    def misfits(self, entry: TargetEntry) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """What of ``entry`` EMC cannot do: the key to blame, what is wrong, what to write."""
        if entry.messages != (Message.STEP,):
            yield ("messages",), "EMC takes steps (events), not dossiers", "write messages: [step]"
        step = entry.operations.step
        if step and step.in_doubt not in (InDoubt.GIVE_UP, InDoubt.RISK_DOUBLE):
            yield (
                ("operations", "step", "in_doubt"),
                "EMC can neither be asked nor recognizes an event that comes twice",
                "write give_up (at most once) or risk_double (at least once)",
            )
        if entry.is_compared and entry.reconcile.method is not ReconcileMethod.COUNTS:
            yield ("reconcile", "method"), "only EMC's counts can be read back", "write counts"
