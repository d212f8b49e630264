"""What an answer means for a periodic report: the same for every target."""

from dataclasses import replace

from connectors.api import Item, Outcome, Verdict
from connectors.targets.answers import Kind, Reply, verdict


def report_verdict(report: Item, reply: Reply) -> Verdict:
    """The outcome of a report. One that was in doubt and is said to be there already has arrived."""
    found = verdict(report, reply)
    if reply.kind is Kind.EXISTS and report.known:
        return replace(found, outcome=Outcome.ACCEPTED)
    return found
