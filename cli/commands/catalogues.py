"""`hosync catalogues`: what the targets publish, and which of our codes they do not."""

from __future__ import annotations

from collections.abc import Sequence

from cli.errors import ExitCode
from cli.output import Output
from schemas.times import VN
from sync.catalogues import CatalogueLine, CataloguesReport, catalogues, pull_catalogues, with_catalogues
from sync.context import Context


def run(output: Output, targets: Sequence[str], *, pull: bool) -> ExitCode:
    """Pull the catalogues of the named targets, or of all that have some, and show what stands in none of them.

    Fails where dossiers wait because of that.
    """
    reports: list[CataloguesReport] = []
    with Context.from_env() as context:
        for target in targets or with_catalogues(context.catalog.targets):
            with output.working(output.texts("Asking {target} for its catalogues", target=target)):
                reports.append((pull_catalogues if pull else catalogues)(context, target))
    if output.as_json:
        output.json({"targets": [report.model_dump(mode="json") for report in reports]})
    else:
        for report in reports:
            _print(output, report)
    return ExitCode.FAILED if any(report.blocking and report.unpublished for report in reports) else ExitCode.OK


def _print(output: Output, report: CataloguesReport) -> None:
    texts, target = output.texts, report.target
    pulled = [
        (texts(line.kind.value), line.entries, line.added, line.changed, line.gone, _pulled(line))
        for line in report.catalogues
    ]
    columns: Sequence[str] = ("Catalogue", "Entries", "Added", "Changed", "Gone", "Pulled")
    output.out.print(output.table(texts("Catalogues of {target}", target=target), columns, pulled))
    if not report.catalogues:
        output.out.print(texts("Nothing was pulled yet."))
    if not report.unpublished:
        return
    unpublished = [
        (each.agency_name or each.agency_code, texts(each.kind.value), each.code, each.dossiers, each.first_code)
        for each in report.unpublished
    ]
    columns = ("Agency", "Catalogue", "Code", "Dossiers", "For example")
    output.out.print(output.table(texts("Not published by {target}", target=target), columns, unpublished))
    if report.blocking:
        output.out.print(texts("These dossiers wait until {target} publishes the code.", target=target))


def _pulled(line: CatalogueLine) -> str:
    return f"{line.pulled_at.astimezone(VN):%d/%m/%Y %H:%M}" if line.pulled_at else ""
