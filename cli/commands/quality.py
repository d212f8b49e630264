"""`hosync quality`: dossiers that lack what the indicators of decision 766 need, per agency and rule."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from cli.errors import ExitCode, UserError
from cli.output import Output
from ledger.engine import open_engine
from ledger.migrate import require_current
from ledger.quality import AgencyQuality, by_agency, codes
from schemas.identifiers import agency_short
from schemas.quality import RULES


def run(output: Output, *, agency: str | None, since: datetime | None, show: int) -> ExitCode:
    """Show what is flagged. Always ends well: flagged dossiers are pushed like all others."""
    wanted = _short(agency) if agency else None
    engine = open_engine()
    try:
        require_current(engine)
        found = by_agency(engine, agency=wanted, since=since)
        broken = [rule for rule in RULES if any(each.broken[rule.name] for each in found)]
        shown = {
            rule.name: list(codes(engine, rule.name, agency=wanted, since=since, limit=show))
            for rule in (broken if show else ())
        }
    finally:
        engine.dispose()
    if output.as_json:
        output.json(
            {
                "rules": [
                    {"rule": rule.name, "indicators": rule.indicators, "vi": rule.vi, "en": rule.en} for rule in RULES
                ],
                "agencies": [_as_json(each) for each in found],
                "first_codes": shown,
            }
        )
    else:
        _print(output, found, shown)
    return ExitCode.OK


def _print(output: Output, found: list[AgencyQuality], shown: dict[str, list[str]]) -> None:
    texts = output.texts
    rows = [
        (
            each.agency_code,
            each.agency_name or "",
            each.broken[rule.name],
            each.dossiers,
            ", ".join(rule.indicators),
            texts.pick(vi=rule.vi, en=rule.en),
        )
        for each in found
        for rule in RULES
        if each.broken[rule.name]
    ]
    if not rows:
        output.out.print(texts("Nothing is flagged."))
        return
    headings = ("Agency", "Title", "Flagged", "Dossiers", "Indicators", "What is missing")
    output.out.print(output.table("Dossiers that the indicators of decision 766 do not count in full", headings, rows))
    for name, first in shown.items():
        output.out.print(Text(f"{name}: {', '.join(first)}"), soft_wrap=True)


def _as_json(each: AgencyQuality) -> dict[str, object]:
    return {
        "agency": each.agency_code,
        "agency_name": each.agency_name,
        "dossiers": each.dossiers,
        "flagged": each.flagged,
        "broken": {name: number for name, number in each.broken.items() if number},
    }


def _short(agency: str) -> str:
    try:
        return agency_short(agency)
    except ValueError as error:
        raise UserError(
            f"--agency: {error}.",
            where="--agency",
            next_step="Write its code as in H12.12 or 000.00.12.H12.",
            code=ExitCode.USAGE,
        ) from None
