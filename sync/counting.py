"""Comparing by totals, for targets that show no single dossier."""

from collections.abc import Mapping as MappingABC

from ledger.types import CountRow, StepTotals

_NOTHING = StepTotals(settled=0, in_flight=0, doubtful=0)


def count_rows(
    ours: MappingABC[int, StepTotals], buckets: MappingABC[int, str], theirs: MappingABC[str, int]
) -> list[CountRow]:
    """One row per bucket of either side.

    ``ours`` counts our steps by national state; ``buckets`` says in which of the target's buckets a state is counted
    (several states may share one); ``theirs`` is what the target shows. A bucket that only the target has is compared
    with nothing, so that it can't hide.
    """
    sums: dict[str, StepTotals] = dict.fromkeys(theirs, _NOTHING)
    for state, totals in ours.items():
        bucket = buckets[state]
        before = sums.get(bucket, _NOTHING)
        sums[bucket] = StepTotals(
            settled=before.settled + totals.settled,
            in_flight=before.in_flight + totals.in_flight,
            doubtful=before.doubtful + totals.doubtful,
            doubled=before.doubled + totals.doubled,
        )
    return [CountRow(bucket=bucket, ours=sums[bucket], theirs=theirs.get(bucket, 0)) for bucket in sorted(sums)]
