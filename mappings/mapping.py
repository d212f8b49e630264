"""A loaded mapping: what the rest of the house holds in its hands."""

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mappings import catalogues, reading
from mappings.compiler import Broken, Compiled, Record, compile_fields
from mappings.model import AnyField, Direction, FieldSpec, ListSpec, Section, SourceFile, Tells
from schemas.report import ReportKind

Stage = Literal["mapping", "schema"]


@dataclass(frozen=True, slots=True)
class MappingProblem:
    """Why a record is set aside. ``index`` is its position in the input; nothing here repeats a value of it.

    A record with several mistakes has one problem: the first, whose message also names the other fields.
    """

    index: int
    field: str
    rule: str
    message: str
    stage: Stage = "mapping"


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of the records: each index is either in ``good`` or in ``bad``, in the order of the input."""

    good: list[tuple[int, dict[str, Any]]]
    bad: list[MappingProblem]


@dataclass(frozen=True, slots=True)
class Mapping:
    """One mapping file, checked and compiled. Safe to share between threads.

    ``tells`` is what a source's records are; a target is told of dossiers.
    """

    system: str
    direction: Direction
    tells: Tells
    version: str
    file: Path
    record_key: tuple[str, ...]
    tables: dict[str, dict[str | int, Any]]
    sections: dict[str, Section]
    compiled: dict[str, Compiled]

    def convert(self, records: Sequence[Record]) -> Converted:
        """Convert a source's native records to what it ``tells``, or canonical dossiers to a target's messages."""
        return self._convert("dossier", records)

    def convert_dossiers(self, dossiers: Sequence[Record]) -> Converted:
        """Convert canonical dossiers to a target's dossier messages."""
        return self._convert("dossier", dossiers)

    def convert_steps(self, steps: Sequence[Record]) -> Converted:
        """Convert canonical steps to a target's step messages."""
        return self._convert("step", steps)

    def convert_notices(self, steps: Sequence[Record]) -> Converted:
        """Convert canonical steps to a target's notices; nothing at all where it takes none."""
        return self._convert("notice", steps) if "notice" in self.compiled else Converted([], [])

    def convert_reports(self, kind: ReportKind, reports: Sequence[Record]) -> Converted:
        """Convert reports (see ``schemas.report.outgoing``) to what a target is sent of them."""
        return self._convert(kind.value, reports)

    def key_of(self, record: Record) -> str | None:
        """The record's own key in its system, for messages to people; ``None`` when the record has none.

        Composed, cut to 64 letters and on one line; what cannot be shown (and a NUL cannot even be stored) is U+FFFD.
        """
        for path in self.record_key:
            value: Any = record
            for name in path.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            if value.__class__ in (str, int) and value != "":
                return _shown_key(str(value))
        return None

    def _convert(self, section: str, records: Sequence[Record]) -> Converted:
        if section not in self.compiled:
            raise KeyError(f"{self.file.name} has no section {section}: {self.system} takes no such messages")
        compiled = self.compiled[section]
        fast = compiled.fast
        good: list[tuple[int, dict[str, Any]]] = []
        bad: list[MappingProblem] = []
        for index, record in enumerate(records):
            try:
                good.append((index, fast(record)))
            except Exception:
                # Any exception at all means "ask the slow path", which says what it was or converts the record.
                result, broken = compiled.explain(record)
                if broken:
                    bad.append(self._problem(index, broken))
                else:
                    good.append((index, result))
        return Converted(good, bad)

    def _problem(self, index: int, broken: list[Broken]) -> MappingProblem:
        first, *others = broken
        message = f"{self.system}: field {first.field}: {first.message}"
        if others:
            message += f" (also: {', '.join(f'{part.field} {part.rule}' for part in others[:5])})"
        return MappingProblem(index=index, field=first.field, rule=first.rule, message=message)


def load_file(path: Path) -> Mapping:
    """Read, check and compile one mapping file. Raises :class:`mappings.errors.MappingFileError`."""
    found = reading.read(path)
    sections = reading.sections(found)
    return Mapping(
        system=found.system,
        direction=Direction(found.direction),
        tells=found.tells if isinstance(found, SourceFile) else Tells.DOSSIER,
        version=_version(found.version, _files(path, sections)),
        file=path,
        record_key=found.record_key,
        tables=found.tables,
        sections=sections,
        compiled={name: compile_fields(section.fields, found.tables) for name, section in sections.items()},
    )


def _files(path: Path, sections: dict[str, Section]) -> list[Path]:
    """The files a mapping consists of: its own, and the catalogues it looks into."""
    used = {spec.lookup.catalogue for spec in all_fields(sections) if spec.lookup is not None}
    return [path, *(catalogues.path_of(name) for name in sorted(used))]


def all_fields(sections: dict[str, Section]) -> Iterator[FieldSpec]:
    """Every field of every section, those inside lists and behind ``else`` too."""
    for section in sections.values():
        for spec in section.fields.values():
            yield from _with_inner(spec)


def _with_inner(spec: AnyField) -> Iterator[FieldSpec]:
    if isinstance(spec, ListSpec):
        for inner in spec.fields.values():
            yield from _with_inner(inner)
        return
    yield spec
    if spec.otherwise is not None:
        yield from _with_inner(spec.otherwise)


def _version(declared: int, files: list[Path]) -> str:
    """The declared number and a hash of the content, so that an edit without a new number is seen too."""
    digest = hashlib.blake2b(digest_size=6)
    for file in files:
        digest.update(file.read_bytes())
    return f"{declared}-{digest.hexdigest()}"


def _shown_key(value: str) -> str:
    key = unicodedata.normalize("NFC", value[:256])[:64]
    return key if key.isprintable() else "".join(letter if letter.isprintable() else "\ufffd" for letter in key)
