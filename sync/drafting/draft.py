"""The use case: from a document or a sample to three files that pass the checks. Nothing is overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import mappings
from connectors import catalog
from mappings import examples
from mappings.mapping import load_file
from mappings.places import shown
from sync.drafting.sketch import Sketch
from sync.drafting.writing import Answers, catalog_file, contract_files, mapping_file, missing
from sync.errors import SyncError


@dataclass(frozen=True, slots=True)
class Draft:
    """The files of a new connector: path to content."""

    files: dict[Path, bytes]

    def write(self) -> None:
        """Write them all; raises ``SyncError`` when one of them is there already, and then writes none."""
        _require_free(self.files)
        for path, content in self.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the three files belong."""

    catalog: Path
    mappings: Path
    contracts: Path

    @classmethod
    def in_use(cls) -> Folders:
        """Those that hosync reads: HOSYNC_CATALOG, HOSYNC_MAPPINGS and HOSYNC_CONTRACTS, else the project's own."""
        return cls(
            catalog=Path(os.environ.get("HOSYNC_CATALOG") or catalog.FOLDER),
            mappings=mappings.folder(mappings.Direction.SOURCE),
            contracts=Path(os.environ.get("HOSYNC_CONTRACTS") or catalog.CONTRACTS),
        )

    def require_free(self, system: str) -> None:
        """Raises ``SyncError`` when there is a system of that name, before anybody is asked about a new one."""
        _require_free((self.catalog / f"{system}.yaml", self.mappings / f"{system}.yaml"))


def _require_free(paths: Iterable[Path]) -> None:
    there = [path for path in paths if path.exists()]
    if there:
        raise SyncError(f"{shown(there[0])} is there already.", next_step="Choose another name, or remove the file.")


def draft(system: str, sketch: Sketch, answers: Answers, folders: Folders) -> Draft:
    """Make the files. Raises ``SyncError`` naming what a dossier needs and nothing tells."""
    lacking = missing(sketch, answers)
    if lacking:
        raise SyncError(
            f"The sample does not tell {', '.join(lacking)}, which every dossier needs.",
            next_step="Give --procedure and --agency for all dossiers, or a sample whose records tell them.",
        )
    contract = contract_files(system, sketch, answers)
    entry = catalog_file(system, sketch, answers, next(iter(contract)))
    return Draft(
        {
            folders.catalog / f"{system}.yaml": entry.encode(),
            folders.mappings / f"{system}.yaml": mapping_file(system, sketch, answers).encode(),
            **{folders.contracts / name: content for name, content in contract.items()},
        }
    )


def prove(made: Draft) -> list[str]:
    """What the checks of catalog and mapping say of the written files: empty when all is well."""
    entry_file, mapping_path, *_ = made.files
    catalog.load_entry(entry_file)
    found = examples.run(load_file(mapping_path))
    return [f"{each.label}: {each.differences[0]}" for each in found if each.differences]
