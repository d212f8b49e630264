"""What a ledger that has woken up waits for, and what to do."""

from __future__ import annotations

from rich.text import Text

from cli.output import Output
from cli.words import moment_in_words
from sync.context import now
from sync.woken import Woken


def show(output: Output, found: Woken) -> None:
    """Say what is held back, why, and which commands end it."""
    texts, unread = output.texts, " ".join(found.unread)
    moment = moment_in_words(found.since, now())
    if found.restored:
        sentences = [
            texts(
                "The ledger was restored from a backup (noticed at {moment}): the targets may know newer states, so "
                "nothing is delivered or corrected until it has caught up.",
                moment=moment,
            )
        ]
    else:
        sentences = [
            texts(
                "The database was started at {moment}. What differs at a target is corrected once its systems have "
                "been read since: should these be the files of a backup, the target knows better.",
                moment=moment,
            )
        ]
    if unread:
        sentences.append(texts("Not read since: {systems}. Now: hosync pull {systems}", systems=unread))
    if found.telling_once:
        sentences.append(
            texts(
                "These tell each change only once: {systems}. Have them tell again what they told since the backup "
                "(hosync pull SYSTEM --from DAY, or their owners), then: hosync resume --after-restore",
                systems=" ".join(found.telling_once),
            )
        )
    output.out.print(Text("\n".join(sentences), style="bold red" if found.restored else "yellow"), soft_wrap=True)
