"""The catalog of systems: one YAML file per system, read and checked as a whole.

``load_catalog()`` gives a ``Catalog``. A file with a mistake is left out, so that one system's file never stops the
others: whoever asks for that system gets a ``CatalogError`` that lists every mistake with line, key, what is allowed
and how to put it right, and whoever works on all of them looks at ``problems`` too. What the keys mean:
``catalog_models.py``.

DAG files load the catalog at every parse, so this stays cheap: libyaml, pydantic, and no transport is imported.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel

from connectors.catalog_explain import explain, nearest
from connectors.catalog_models import Entry, SourceEntry, SourceProtocol, TargetEntry, TargetProtocol
from connectors.catalog_yaml import Document, read
from connectors.errors import CatalogError, CatalogProblem, UnknownSystem

FOLDER = Path(__file__).parent / "catalog"
CONTRACTS = Path(__file__).parent.parent / "schemas" / "wire"

# Where the model of a protocol's ``options`` stands; imported only when an entry uses it.
OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        SourceProtocol.REST: "connectors.options.rest:RestOptions",
        SourceProtocol.SOAP: "connectors.options.soap:SoapOptions",
        SourceProtocol.SOAP_JOBS: "connectors.options.soap:SoapJobsOptions",
        SourceProtocol.FILES: "connectors.options.files:FilesOptions",
        SourceProtocol.INBOUND: "connectors.options.inbound:InboundOptions",
        SourceProtocol.MAPI: "connectors.options.mapi:MapiOptions",
        SourceProtocol.IGATE: "connectors.options.igate:IgateOptions",
        TargetProtocol.NPSP: "connectors.targets.options:NpspOptions",
        TargetProtocol.LGSP_DOCUMENT: "connectors.targets.options:LgspDocumentOptions",
        TargetProtocol.EMC: "connectors.targets.options:EmcOptions",
        TargetProtocol.WEBHOOK: "connectors.targets.webhook_options:WebhookOptions",
        TargetProtocol.OPENCPS_PUBLISH: "connectors.targets.provincial_options:OpencpsPublishOptions",
        TargetProtocol.IGATE_DOSSIER: "connectors.targets.provincial_options:IgateDossierOptions",
    }
)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All systems, in the order of their names. ``problems``: the mistakes of the files that could not be taken."""

    sources: tuple[SourceEntry, ...]
    targets: tuple[TargetEntry, ...]
    folder: Path
    problems: tuple[CatalogProblem, ...] = ()
    _by_name: Mapping[str, SourceEntry | TargetEntry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {entry.system: entry for entry in (*self.sources, *self.targets)})

    def __iter__(self) -> Iterator[SourceEntry | TargetEntry]:
        return iter((*self.sources, *self.targets))

    def entry(self, name: str) -> SourceEntry | TargetEntry:
        """The entry of a system; raises ``CatalogError`` that suggests the name that was meant."""
        found = self._by_name.get(name)
        if found is None:
            raise self._unknown(name, "system", list(self._by_name))
        return found

    def source(self, name: str) -> SourceEntry:
        """The entry of a source; raises ``CatalogError`` for a target or an unknown name."""
        found = self._by_name.get(name)
        if isinstance(found, SourceEntry):
            return found
        raise self._unknown(name, "source", [entry.system for entry in self.sources])

    def target(self, name: str) -> TargetEntry:
        """The entry of a target; raises ``CatalogError`` for a source or an unknown name."""
        found = self._by_name.get(name)
        if isinstance(found, TargetEntry):
            return found
        raise self._unknown(name, "target", [entry.system for entry in self.targets])

    def whole(self) -> "Catalog":
        """This catalog; raises ``CatalogError`` when a file of it could not be taken."""
        if self.problems:
            raise CatalogError(self.problems)
        return self

    def _unknown(self, name: str, what: str, known: list[str]) -> CatalogError:
        if mistakes := tuple(problem for problem in self.problems if Path(problem.file).stem == name):
            return CatalogError(mistakes)
        return UnknownSystem(str(self.folder), name, what, known, nearest(name, known))


def load_catalog(folder: Path | str | None = None) -> Catalog:
    """Read every ``*.yaml`` of ``folder`` (default: HOSYNC_CATALOG, else ``connectors/catalog``).

    Raises ``CatalogError`` when not a single file can be taken.
    """
    place = _place(folder)
    files = catalog_files(place)
    if not files:
        fix = "Point HOSYNC_CATALOG at a folder of catalog files"
        raise CatalogError((CatalogProblem(str(place), 0, "folder", "holds no *.yaml file", fix),))
    problems: list[CatalogProblem] = []
    entries: dict[str, SourceEntry | TargetEntry] = {}
    for path in files:
        try:
            entry = load_entry(path)
        except CatalogError as error:
            problems += error.problems
            continue
        entries[entry.system] = entry
    if not entries:
        raise CatalogError(tuple(problems))
    return Catalog(
        sources=tuple(entry for entry in entries.values() if isinstance(entry, SourceEntry)),
        targets=tuple(entry for entry in entries.values() if isinstance(entry, TargetEntry)),
        folder=place,
        problems=tuple(problems),
    )


def catalog_files(folder: Path | str | None = None) -> list[Path]:
    """The files that ``load_catalog`` reads, in the order of their names."""
    return sorted(_place(folder).glob("*.yaml"))


def _place(folder: Path | str | None) -> Path:
    return Path(folder or os.environ.get("HOSYNC_CATALOG") or FOLDER)


def load_entry(path: Path, *, alternative: bool = False) -> SourceEntry | TargetEntry:
    """Read and check one catalog file; raises ``CatalogError`` with all its mistakes.

    An ``alternative`` is named after what is different about it, not after the system whose entry it may replace.
    """
    document = read(path)
    kind = document.data.get("kind")
    if kind not in ("source", "target"):
        raise CatalogError((document.problem(("kind",), "must be 'source' or 'target'", "Say what the system is"),))
    model: type[SourceEntry | TargetEntry] = SourceEntry if kind == "source" else TargetEntry
    problems = explain(document, model, document.data)
    options = _options(document, problems)
    name = document.data.get("system")
    if not problems and name != path.stem and not alternative:
        problems.append(
            document.problem(("system",), f"'{name}' does not match the file name", f"Rename the file to {name}.yaml")
        )
    if not problems:
        entry = model.model_validate({**document.data, "options": options})
        entry._file = document.file
        problems = _misfits(document, entry)
        if not problems:
            return entry
    raise CatalogError(tuple(sorted(problems, key=lambda problem: problem.line)))


def contract_path(entry: Entry) -> Path:
    """Where the entry's contract snapshot stands: below HOSYNC_CONTRACTS when that is set, else ``schemas/wire``."""
    return Path(os.environ.get("HOSYNC_CONTRACTS") or CONTRACTS) / entry.contract


def _misfits(document: Document, entry: Entry) -> list[CatalogProblem]:
    """What does not go together between the options and the rest of the entry, where the protocol has a say.

    ``misfits(pull)`` of a source's options yields the key to blame, below ``options``, and what it should be;
    ``misfits(entry)`` of a target's options the key, what is wrong with it, and what it should be.
    """
    found = getattr(entry.options, "misfits", None)
    if found is None:
        return []
    if isinstance(entry, SourceEntry):
        named = ((("options", *at), "does not fit 'pull'", fix) for at, fix in found(entry.pull))
    else:
        named = found(entry)
    return [document.problem(at, problem, fix[:1].upper() + fix[1:]) for at, problem, fix in named]


def _options(document: Document, problems: list[CatalogProblem]) -> BaseModel | None:
    """The typed options of the entry's protocol; mistakes are added to ``problems``."""
    place = OPTIONS.get(str(document.data.get("protocol")))
    if place is None:  # an unknown protocol is among the problems already
        return None
    module, _, name = place.partition(":")
    model: type[BaseModel] = getattr(import_module(module), name)
    given = document.data.get("options") or {}
    found = explain(document, model, given, at=("options",))
    problems += found
    return None if found else model.model_validate(given)
