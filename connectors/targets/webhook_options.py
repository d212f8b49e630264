"""A target that takes each message as an HTTP POST and answers with a status: kiosks, display boards, contact centres.

Like the whole catalog this is read at every parse of the DAG files: it imports no transport.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from connectors.catalog_models import InDoubt, Message, Part, ReconcileMethod, TargetEntry
from connectors.options.auth import Auth, NoAuth
from connectors.options.paths import UrlPath

Ours = Literal["received_at", "due_at", "finished_at", "procedure_code"]


class WebhookListing(Part):
    """Where the receiver tells what it holds: ``GET path?limit=N&after=TOKEN``.

    It answers ``{"data": [...], "next": TOKEN or null}``: a page of dossiers, and where the next one begins.
    """

    path: UrlPath
    """Where it is asked."""
    page_size: int = Field(default=1000, ge=1, le=10_000)
    """How many dossiers a page may hold."""
    code: str = "code"
    """Its name for the dossier code."""
    state: str = "state"
    """Its name for the national state (1 to 10)."""
    fields: Mapping[str, Ours] = Field(default_factory=dict)
    """Its names for what else is compared; moments in ISO 8601."""


class WebhookOptions(Part):
    """Each message is POSTed as the mapping makes it: one JSON object, or a JSON array where ``batch`` is above 1.

    Every message has an id, the same whenever it is sent again: the values of ``id_from``, with dashes between, in the
    header ``Idempotency-Key``. With ``signed`` the call also carries ``webhook-id``, ``webhook-timestamp`` and
    ``webhook-signature`` as Standard Webhooks 1.0 has them: HMAC-SHA256 over ``id.timestamp.body``. The connection's
    password is the secret (``whsec_`` and Base64); ``previous_secret`` in its extra is signed with too, so that a
    secret can be changed while everything runs.
    """

    path: UrlPath
    """Where dossiers go, and steps too unless ``steps_path`` says otherwise."""
    steps_path: UrlPath | None = None
    """Where steps go."""
    auth: Auth = NoAuth()
    """How to sign in, beside or instead of the signature."""
    signed: bool = True
    """Whether calls are signed."""
    id_from: tuple[str, ...] = Field(default=("code", "version"), min_length=1)
    """The fields of a dossier message that make its id."""
    step_id_from: tuple[str, ...] = Field(default=("code", "step"), min_length=1)
    """The fields of a step message that make its id."""
    listing: WebhookListing | None = None
    """Where it tells what it holds; most receivers do not."""

    def misfits(self, entry: TargetEntry) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """What of ``entry`` such a receiver cannot do: the key to blame, what is wrong, what to write."""
        for name in Message:
            operation = getattr(entry.operations, name.value)
            if operation is not None and operation.in_doubt is InDoubt.ASK:
                yield (
                    ("operations", name.value, "in_doubt"),
                    "a webhook cannot be asked about one dossier",
                    "write resend where the receiver knows repetitions by their id, else give_up or risk_double",
                )
        if entry.is_compared and entry.reconcile.method is not ReconcileMethod.LISTING:
            yield ("reconcile", "method"), "a webhook only has a listing, or nothing", "write listing or none"
        if entry.reconcile.method is ReconcileMethod.LISTING and self.listing is None:
            yield ("reconcile", "method"), "options.listing is missing", "add it, or write none"
