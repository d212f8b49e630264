"""The ``options`` of target entries, one model per protocol. Paths are added to the connection's base URL.

Like the whole catalog this is read at every parse of the DAG files: it imports no transport.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from connectors.catalog_models import Part
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


class NpspOptions(Part):
    """National Public Service Portal behind its adapter: one URL to sign in, one for every service."""

    login_path: UrlPath = "/mapi/login"
    call_path: UrlPath = "/mapi/g"
    unit: str = Field(min_length=1)
    """``madonvi``, the sending agency's code; the connection's extra ``madonvi`` comes before it."""
    dstcode: str = ""
    """Where the adapter routes to; the connection's extra ``dstcode`` comes before it."""
    session_s: float = Field(default=600, gt=0)
    """How long a session is used before a new one is asked for; an earlier end is noticed and renewed."""
    code_form: CodeForm = "long"
    """The written form of dossier codes there: ``000.00.12.H12-…`` or ``H12.12-…``. It is asked for first."""
    exists_codes: tuple[str, ...] = ("3", "-3")
    setup_codes: tuple[str, ...] = ("-300", "-301", "-302", "-303", "-304")
    words: NpspWords = NpspWords()


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
