"""The ``options`` of protocol ``inbound``: a system that calls us, once for everything that happens to a dossier.

Its calls come to ``/hosync/inbound/{system}/{call}``, at the Airflow API server or at ``hosync inbound``. Whoever knows
the secret may call: it is ``inbound_secret`` of the connection's extra, and where there is none, the connection's
password.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from connectors.catalog_models import Duration, Part, Pull, inconsistent
from connectors.options.paths import UrlPath, ValuePath


class SecretInPath(Part):
    """The secret is the last part of the path: ``/hosync/inbound/{system}/{call}/{secret}``."""

    kind: Literal["path"]


class SecretInQuery(Part):
    """The secret is a key of the query: ``?CodeGet={secret}``."""

    kind: Literal["query"]
    name: str = Field(min_length=1)
    """The key."""


class SecretInHeader(Part):
    """The secret is a header of its own."""

    kind: Literal["header"]
    name: str = Field(min_length=1)
    """The header's name; case does not count."""


class SecretAsBasic(Part):
    """HTTP Basic: the connection's login, and the secret."""

    kind: Literal["basic"]


Secret = Annotated[SecretInPath | SecretInQuery | SecretInHeader | SecretAsBasic, Field(discriminator="kind")]


class Call(Part):
    """One kind of call: a JSON object that says what happened to one dossier."""

    method: Literal["POST", "PUT"] = "POST"
    """The HTTP method it comes with."""
    requires: tuple[ValuePath, ...] = ()
    """What it must hold besides the ``requires`` of all calls."""


class Answers(Part):
    """What the system is told; ``{message}`` in a text stands for the reason."""

    success: Any
    """The JSON value for a call that is stored."""
    failure: Any
    """The JSON value for any other."""
    refused_status: int = Field(default=400, ge=200, le=499)
    """The HTTP status of a refusal. 200 for systems that read the failure only there. What could not be stored for
    reasons of ours is always answered with 503."""


class Announce(Part):
    """Tells the system which dossiers we want to hear of: those of ``pull.open_list`` that it has not accepted yet.

    Signed in by OAuth2, password grant: login and password of the connection, ``client_id`` and ``client_secret`` of
    its extra.
    """

    token_path: UrlPath
    """Where a token is given."""
    path: UrlPath
    """Where a dossier is announced, by POST."""
    body: Any
    """The JSON body; ``{id}`` in a text stands for the dossier's code."""
    code: Literal["long", "short"] = "long"
    """In which of its two forms: ``000.00.12.H12-250812-0001`` or ``H12.12-250812-0001``."""
    success: ValuePath
    """Where the answer says whether it was accepted: ``true``, or anything else."""
    message: ValuePath
    """Where it says why not."""
    already: tuple[str, ...] = ()
    """Words in that message which mean that the dossier is known there already, which is as good; case and diacritics
    do not count."""
    per_run: int = Field(default=500, ge=1)
    """How many dossiers are announced in one run at most; the rest comes with the next."""


class InboundOptions(Part):
    """A system that calls us."""

    secret: Secret
    """How a caller shows that it knows the secret."""
    calls: Mapping[str, Call] = Field(min_length=1)
    """The kinds of calls, by the name in their path."""
    requires: tuple[ValuePath, ...] = ()
    """What every call must hold. One that lacks it is refused at once, with a message that names it."""
    answers: Answers
    """What the system is told."""
    catalogues: Mapping[str, Any] = Field(default_factory=dict)
    """What the system may ask us (GET), by the name in the path, and what it is answered."""
    max_body_kb: int = Field(default=512, ge=1, le=16_384)
    """How large a call may be."""
    max_depth: int = Field(default=20, ge=1, le=200)
    """How deep objects and lists may be nested in a call."""
    keep: Duration = timedelta(days=30)
    """How long a call stays in the inbox after a pull has stored it: so long it is recognised when it comes again, and
    can be pulled again by ``--from`` and ``--to``."""
    announce: Announce | None = None
    """For systems that only call about dossiers that they were told of."""

    @model_validator(mode="after")
    def _consistent(self) -> "InboundOptions":
        for name in sorted(self.calls.keys() & self.catalogues.keys()):
            raise inconsistent("catalogues", name, "a call has the same name")
        return self

    def misfits(self, pull: Pull) -> Iterator[tuple[tuple[str, ...], str]]:
        """What does not go together with the way the system is pulled: the key to blame, and what it should be."""
        if pull.open_list and not self.announce:
            yield ("announce",), "pull.open_list says which dossiers are announced, so it is needed"
        if self.announce and not pull.open_list:
            yield ("announce",), "pull.open_list must say which dossiers are announced"
