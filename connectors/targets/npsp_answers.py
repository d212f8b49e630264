"""What the national portal means by an answer. Pure: tried by property tests, without a server.

Facts behind the rules: HTTP 200 says nothing; ``error_code`` comes as 0, "0" or "00" and is no success unless the
message says so too; "already exists" comes with 3 or -3 and is told by its words; a session that is over is told only
in words; the answer to steps has been seen as plain text.
"""

from connectors.errors import BrokenAnswer
from connectors.http import Answer
from connectors.mapi import error_code
from connectors.outcomes import of_status
from connectors.targets.answers import OWN_WORDS_STATUS, Kind, Reply, of_error
from connectors.targets.options import NpspOptions
from connectors.targets.words import fold, says

_LONGEST_PLAIN = 500
_LONGEST_CODE = 16


def classify_answer(answer: Answer, options: NpspOptions, *, plain_text: bool = False) -> Reply:
    """The meaning of a complete answer. ``plain_text``: this service may answer with a bare text."""
    error = of_status(answer.system, answer.where, answer.status, answer.headers, answer.body)
    if error is not None and answer.status not in OWN_WORDS_STATUS:
        return of_error(error)
    if error is None and plain_text and (text := _bare_text(answer)):
        return _of_words(options, code=None, message=text)
    try:
        body = answer.json_object()
    except BrokenAnswer as broken:
        return of_error(error or broken)
    if "error_code" not in body:
        missing = Reply(kind=Kind.UNCLEAR, reason=f"{answer.where}: the answer has no error_code")
        return of_error(error) if error else missing
    message = body.get("message")
    reply = _of_words(options, code=_code(body["error_code"]), message=message if isinstance(message, str) else "")
    if reply.kind is Kind.DONE and error is not None:
        return Reply(kind=Kind.UNCLEAR, reason=f"{answer.where}: HTTP {answer.status}, but the answer says success")
    return reply


def _code(value: object) -> str:
    """``error_code`` normalized, empty when it is none: a boolean (False is no zero), a sentence, a list."""
    code = error_code(value) if isinstance(value, str | int) else ""
    return code if len(code) <= _LONGEST_CODE else ""


def _bare_text(answer: Answer) -> str:
    """A short text that is no JSON object and no markup: plain, or one JSON string. Empty when it is not that."""
    text = answer.body.decode("utf-8", "replace").strip()
    if len(text) > _LONGEST_PLAIN or text[:1] in ("", "{", "[", "<"):
        return ""
    return text.strip('"').strip()


def _of_words(options: NpspOptions, *, code: str | None, message: str) -> Reply:
    """``code`` is ``None`` for a bare text, which has none."""
    words = options.words
    text = fold(message)
    named = "" if code is None else f" (error_code {code!r})"
    success = code in (None, "0") and (says(text, words.success) or (code == "0" and not words.success))
    if success and not says(text, words.not_success):
        return Reply(kind=Kind.DONE)
    if says(text, words.session):
        return Reply(kind=Kind.SIGN_IN, reason=f"the portal says that the session is over{named}", said=message)
    if code in options.setup_codes or says(text, words.setup):
        return Reply(kind=Kind.NOT_NOW, reason=f"the portal refuses a setting of this connection{named}", said=message)
    if says(text, words.busy):
        return Reply(kind=Kind.NOT_NOW, reason=f"the portal asks to come back later{named}", said=message)
    if says(text, words.missing):
        return Reply(kind=Kind.MISSING, reason=f"the portal does not know this dossier{named}", said=message)
    if code in options.exists_codes or says(text, words.exists):
        return Reply(kind=Kind.EXISTS, reason=f"the portal holds this already{named}", said=message)
    if code is None and says(text, words.refused):
        return Reply(kind=Kind.REFUSED, reason="refused by the portal", said=message)
    if code is None or (code == "" and not text):
        # Neither a code nor a word that we know: that is no refusal, it is no answer.
        return Reply(kind=Kind.UNCLEAR, reason="the portal's answer says neither yes nor no", said=message)
    if code == "0":
        return Reply(kind=Kind.REFUSED, reason="refused by the portal, though error_code is 0", said=message)
    return Reply(kind=Kind.REFUSED, reason=f"refused by the portal{named}", said=message)
