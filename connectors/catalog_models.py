"""What a catalog entry holds. Start with ``SourceEntry`` and ``TargetEntry`` at the end of the file.

Every key of ``connectors/catalog/<system>.yaml`` is a field here, with its unit, default and meaning; unknown keys are
errors. What only one protocol needs stands under ``options`` and is typed in ``options/`` (sources) or
``targets/options.py`` (targets); how calls to a target are limited stands in ``traffic.py``. This module imports
nothing heavy: DAG files read the catalog at every parse.
"""

from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from connectors.catalog_parts import SYSTEM_NAME as SYSTEM_NAME
from connectors.catalog_parts import ContractPath as ContractPath
from connectors.catalog_parts import Cron as Cron
from connectors.catalog_parts import Duration as Duration
from connectors.catalog_parts import Part as Part
from connectors.catalog_parts import SystemName as SystemName
from connectors.catalog_parts import inconsistent as inconsistent
from connectors.options.paths import CutPath
from connectors.reporting import Reports
from connectors.traffic import Breaker, QuietHours, Quota, Retries
from schemas.report import ReportKind


class Title(Part):
    """A name for people, Vietnamese first."""

    vi: str = Field(min_length=1)
    """In Vietnamese, with all its diacritics."""
    en: str = Field(min_length=1)
    """In English."""


class Owner(Part):
    """The agency that runs the system, and is called when it is silent."""

    agency: str = Field(min_length=1)
    """Its code, such as G09 or H12.07."""
    vi: str = Field(min_length=1)
    """Its name in Vietnamese."""
    en: str = Field(min_length=1)
    """Its name in English."""


class Timeouts(Part):
    """Time limits of one call, in seconds."""

    connect_s: float = Field(default=5, gt=0, le=120)
    """To connect."""
    read_s: float = Field(default=30, gt=0, le=3600)
    """Between two received pieces."""
    total_s: float = Field(default=120, gt=0, le=7200)
    """Altogether, from connecting to the last byte."""


class Limits(Part):
    """What one answer may cost."""

    max_response_mb: int = Field(default=64, ge=1, le=2048)
    """How large it may be, in megabytes after decompression."""

    @property
    def max_response_bytes(self) -> int:
        """The limit in bytes."""
        return self.max_response_mb << 20


class SourceProtocol(StrEnum):
    """How a source speaks."""

    REST = "rest"
    SOAP = "soap"
    SOAP_JOBS = "soap-jobs"
    FILES = "files"
    INBOUND = "inbound"
    MAPI = "mapi"
    IGATE = "igate"


class TargetProtocol(StrEnum):
    """How a target speaks."""

    NPSP = "npsp"
    LGSP_DOCUMENT = "lgsp-document"
    EMC = "emc"
    WEBHOOK = "webhook"
    OPENCPS_PUBLISH = "opencps-publish"
    IGATE_DOSSIER = "igate-dossier"


_REPORTS = {
    TargetProtocol.NPSP: frozenset({ReportKind.SATISFACTION}),
    TargetProtocol.LGSP_DOCUMENT: frozenset(ReportKind),
}


class PullStyle(StrEnum):
    """How a source is asked for what is new.

    ``changed-since``: a window over the time of the last change;
    ``window``: by date windows over an unchanging date, plus (``refresh_open``) each open dossier by its id;
    ``newest-first``: pages sorted by last change, newest first, until what is known already;
    ``open-list``: the system is asked about the dossiers that we hold and that are not at their end, some per call;
    ``queue``: it hands out messages until each is acknowledged, which happens once the message is stored;
    ``snapshot``: it always tells everything it holds; what is missing from a whole snapshot has disappeared there;
    ``inbound``: it calls us; what it said waits in the inbox.
    """

    CHANGED_SINCE = "changed-since"
    WINDOW = "window"
    NEWEST_FIRST = "newest-first"
    OPEN_LIST = "open-list"
    QUEUE = "queue"
    SNAPSHOT = "snapshot"
    INBOUND = "inbound"


_STYLES = {
    SourceProtocol.REST: frozenset(PullStyle) - {PullStyle.INBOUND},
    SourceProtocol.SOAP: frozenset({PullStyle.CHANGED_SINCE, PullStyle.WINDOW, PullStyle.SNAPSHOT}),
    SourceProtocol.SOAP_JOBS: frozenset({PullStyle.CHANGED_SINCE, PullStyle.WINDOW}),
    SourceProtocol.FILES: frozenset({PullStyle.QUEUE, PullStyle.SNAPSHOT}),
    SourceProtocol.INBOUND: frozenset({PullStyle.INBOUND}),
    SourceProtocol.MAPI: frozenset({PullStyle.WINDOW}),
    SourceProtocol.IGATE: frozenset({PullStyle.NEWEST_FIRST}),
}


class OpenList(Part):
    """Which dossiers an ``open-list`` system is asked about, or an ``inbound`` one is told about: those not at their
    end ...

    They are named to the system by their dossier code.
    """

    procedures: tuple[str, ...] = ()
    """... of these procedures, by national code; of all when empty ..."""
    home: tuple[str, ...] = ()
    """... that these systems brought; all other systems when empty."""
    per_call: int = Field(default=1, ge=1, le=1000)
    """How many of them one call asks about."""


class Pull(Part):
    """How a source is read. A run begins ``overlap`` before the cursor; the cursor stays ``safety_lag`` behind now."""

    style: PullStyle
    """How it is asked for what is new."""
    window_days: int = Field(default=3, ge=1, le=366)
    """``window``: how many days one request asks for."""
    overlap: Duration = timedelta(hours=1)
    """Read again before the cursor: longer than the longest transaction of the source."""
    safety_lag: Duration = timedelta(minutes=5)
    """The cursor is never closer to now than this: covers clocks that differ and late commits."""
    page_size: int = Field(default=100, ge=1, le=5000)
    """Records asked for at once, and stored in one transaction."""
    refresh_open: bool = False
    """Ask again, one by one, for every dossier that we hold and that is not at its end."""
    start: date
    """The first day ever read: where the very first run begins, and a full load."""
    open_list: OpenList | None = None
    """``open-list``: which dossiers are asked about. ``inbound``: which are announced."""


class Entry(Part):
    """What sources and targets have in common."""

    system: SystemName
    """The name of the system everywhere: of this file, its DAG, its rows in the ledger."""
    title: Title
    """What people call it."""
    owner: Owner
    """Whom to call."""
    connection: str = Field(min_length=1)
    """The Airflow connection id; ``gplx`` is read from AIRFLOW_CONN_GPLX."""
    contract: ContractPath
    """The snapshot of the system's contract, a path below schemas/wire."""
    template: bool = False
    """No public contract of the system exists: the entry shows the shape such systems have, and is to be adapted."""
    mapping: SystemName
    """What its records mean, or what it is told: a file in mappings/sources or mappings/targets, without the ending."""
    schedule: Cron | None = None
    """When it runs, in Vietnamese local time; ``null``: only by hand."""
    slots: int = Field(default=2, ge=1, le=64)
    """How many Airflow tasks may talk to this system at once, over all runs and backfills: the size of its pool."""
    timeouts: Timeouts = Timeouts()
    """Time limits of one call."""
    limits: Limits = Limits()
    """What one answer may cost."""
    options: Any = Field(default_factory=dict)
    """What only this protocol needs: see the options by protocol."""

    _file: str = PrivateAttr(default="")

    @property
    def file(self) -> str:
        """The catalog file the entry was read from, for messages."""
        return self._file

    @property
    def pool(self) -> str:
        """The name of the system's Airflow pool."""
        return f"hosync_{self.system}"


class SourceEntry(Entry):
    """A sector system that dossiers are pulled from."""

    kind: Literal["source"]
    """A source is read."""
    protocol: SourceProtocol
    """How it speaks."""
    precedence: int = Field(ge=1, le=1000)
    """Who is right when two systems tell different states of one dossier at the same time: the higher one."""
    cut: tuple[CutPath, ...] = ()
    """What is cut out of every answer before anything of it is kept, even in the page archive: paths of names with
    dots between, ``[]`` after the name of a list (``value[].ketQuaXuLy.phieuLLTP``)."""
    pull: Pull
    """How it is read."""
    follow: Duration | None = None
    """How often it is looked at while hosync follows (the DAG ``follow_ledger``), counted from the beginning of a look;
    one that takes longer than half of this is followed by a pause as long as it took. ``null``: only by its schedule. A
    system that calls us is heard at once; for it this is how often its inbox is looked at without a call."""

    @property
    def tells_once(self) -> bool:
        """Whether it hands out each change only once, so that reading on after a restore does not bring it again."""
        once = (PullStyle.QUEUE, PullStyle.INBOUND)
        return self.pull.style in once or self.protocol is SourceProtocol.FILES

    @model_validator(mode="after")
    def _consistent(self) -> "SourceEntry":
        styles = _STYLES[self.protocol]
        if self.pull.style not in styles:
            allowed = " or ".join(f"'{style}'" for style in PullStyle if style in styles)
            raise inconsistent("pull", "style", f"protocol '{self.protocol}' is pulled by style {allowed}")
        if self.pull.open_list is None and self.pull.style is PullStyle.OPEN_LIST:
            raise inconsistent("pull", "open_list", "style 'open-list' needs it")
        if self.pull.open_list is not None and self.pull.style not in (PullStyle.OPEN_LIST, PullStyle.INBOUND):
            raise inconsistent("pull", "open_list", "only the styles 'open-list' and 'inbound' take it")
        if self.follow is not None and self.follow < timedelta(seconds=1):
            raise inconsistent("follow", "a system is looked at once a second at most")
        return self


class Message(StrEnum):
    """What a target takes: whole dossier records, or single processing steps."""

    DOSSIER = "dossier"
    STEP = "step"


class InDoubt(StrEnum):
    """What to do when nobody knows whether a message was applied.

    ``ask``: look it up at the target before anything else; ``resend``: the operation is idempotent, send it again.
    Where the target can neither be asked nor recognizes a repetition, one of two things is promised: ``give_up`` (at
    most once): never send it again, count it as given up; ``risk_double`` (at least once): send it again, and count
    it as perhaps doubled.
    """

    ASK = "ask"
    RESEND = "resend"
    GIVE_UP = "give_up"
    RISK_DOUBLE = "risk_double"


class Operation(Part):
    """How one kind of message behaves."""

    in_doubt: InDoubt
    """What happens when nobody knows whether it was applied."""


class Operations(Part):
    """Behaviour per kind of message; a target names those it takes."""

    dossier: Operation | None = None
    """Dossier records."""
    step: Operation | None = None
    """Processing steps."""


class Batch(Part):
    """How many messages go into one call."""

    dossiers: int = Field(default=1, ge=1, le=1000)
    """Dossier records in one call."""
    steps: int = Field(default=10, ge=1, le=1000)
    """Processing steps in one call."""


class ReconcileMethod(StrEnum):
    """How a target can be asked what it holds: dossier by dossier, its whole listing, only counts, or not at all."""

    LOOKUP = "lookup"
    LISTING = "listing"
    COUNTS = "counts"
    NONE = "none"


class Reconcile(Part):
    """How and how often a target is compared with the ledger."""

    method: ReconcileMethod
    """How it is asked."""
    schedule: Cron | None = None
    """When, in Vietnamese local time; ``null``: only after deliveries and by hand."""
    limit: int = Field(default=1000, ge=1)
    """``lookup``: how many dossiers are asked for in one run."""
    grace_s: float = Field(default=900, ge=0)
    """Differences younger than this, or with a delivery on its way, are in flight and no break."""
    heal_limit: int = Field(default=500, ge=0)
    """At most this many breaks are healed without a person in one run."""
    heal_share: float = Field(default=0.01, ge=0, le=1)
    """And at most this share of the target's dossiers: a wrong mapping must not rewrite a target."""
    heal_few: int = Field(default=20, ge=0)
    """So many are healed whatever the share: in a small target a handful is soon a large share."""


class Catalogues(Part):
    """The catalogues that a target publishes (procedures, agencies, fields), and what is done with them."""

    schedule: Cron | None = "40 3 * * *"
    """When they are pulled, in Vietnamese local time; ``null``: only by hand."""
    blocking: bool = False
    """Whether a dossier waits whose procedure, agency or field the target does not publish. Otherwise it is sent, and
    listed. Nothing waits before the first pull."""
    most_lost: float = Field(default=0.5, ge=0, le=1)
    """A catalogue that has lost more than this share of its entries is not taken over: it was probably cut."""


class TargetEntry(Entry):
    """A system that dossiers are pushed to."""

    kind: Literal["target"]
    """A target is written to."""
    protocol: TargetProtocol
    """How it speaks."""
    messages: tuple[Message, ...] = Field(min_length=1)
    """What it takes."""
    batch: Batch = Batch()
    """How many messages go into one call."""
    workers: int = Field(default=1, ge=1, le=64)
    """How many tasks share the work of one push run; no more than ``slots`` of them work at once."""
    concurrency: int = Field(default=1, ge=1, le=64)
    """How many calls each of these tasks may have under way at once."""
    quota: Quota = Quota()
    """What the target allows, over all workers and processes together."""
    quiet: tuple[QuietHours, ...] = ()
    """Maintenance windows in which it is not called, in Vietnamese local time: ``"Sun 01:00-05:00"``, or every day
    ``"00:30-01:00"``."""
    retries: Retries = Retries()
    """When a record that it takes again and again with an error is given up."""
    breaker: Breaker = Breaker()
    """When it is left alone because it does not answer, and for how long."""
    deadline: Duration = timedelta(hours=1)
    """A change that it has not acknowledged after this time is shown as late."""
    lease_s: float = Field(default=300, gt=0, le=86400)
    """How long a worker owns what it claimed; longer than the total time limit of a call."""
    operations: Operations
    """How each kind of message behaves when its outcome is unknown."""
    other_codes: bool = False
    """It may hold a dossier under another code than the one we send: one that it gave, or the national code of a
    dossier that was filed with it. Such codes are asked for and kept, and messages go under them."""
    reconcile: Reconcile
    """How it is compared with the ledger."""
    catalogues: Catalogues | None = None
    """The catalogues that it publishes, where it does."""
    reports: Reports | None = None
    """What it is reported each month, where it takes reports."""

    @property
    def is_compared(self) -> bool:
        """Whether it can be asked what it holds at all."""
        return self.reconcile.method is not ReconcileMethod.NONE

    @model_validator(mode="after")
    def _consistent(self) -> "TargetEntry":
        for message in Message:
            declared = getattr(self.operations, message.value) is not None
            if declared != (message in self.messages):
                raise inconsistent("operations", f"it and 'messages' must both name '{message.value}', or neither")
        for kind in self.reports.kinds if self.reports else ():
            if kind not in _REPORTS.get(self.protocol, ()):
                raise inconsistent("reports", kind.value, f"protocol '{self.protocol}' takes no such report: remove it")
        if self.lease_s <= self.timeouts.total_s:
            raise inconsistent("lease_s", "it must exceed timeouts.total_s, or a slow call would be sent twice")
        return self
