"""The lock files: all that pyproject.toml asks for is locked, by version and hash, from no particular registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_REPOSITORY = Path(__file__).parents[2]
_LOCKS = _REPOSITORY / "requirements"
_PROJECT = tomllib.loads((_REPOSITORY / "pyproject.toml").read_text())["project"]
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;]+)(?: *;[^\\]*)?(.*?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)


def _locked(name: str) -> dict[str, tuple[str, int]]:
    found = {}
    for match in _ENTRY.finditer((_LOCKS / name).read_text()):
        found[canonicalize_name(match[1])] = (match[2], match[3].count("--hash=sha256:"))
    return found


def _wanted(*extras: str) -> list[Requirement]:
    lists = [_PROJECT["dependencies"], *(_PROJECT["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(line) for lines in lists for line in lines]


@pytest.mark.parametrize(
    ("lock", "extras"), [("dev.lock", ("up", "sandbox", "test", "lint")), ("image.lock", ("image",))]
)
def test_a_lock_satisfies_what_the_project_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    locked = _locked(lock)
    for requirement in _wanted(*extras):
        version, _ = locked.get(canonicalize_name(requirement.name), ("nothing", 0))
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{lock} holds {requirement.name} {version}, pyproject.toml wants {requirement.specifier}: run `make lock`"
        )


@pytest.mark.parametrize("lock", ["dev.lock", "image.lock", "uv.txt"])
def test_a_lock_has_a_hash_for_every_package_and_names_no_registry(lock: str) -> None:
    locked = _locked(lock)
    assert locked
    assert [name for name, (_, hashes) in locked.items() if not hashes] == []
    text = (_LOCKS / lock).read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|@ file:", text)


def test_the_image_runs_what_was_tested() -> None:
    dev, image = _locked("dev.lock"), _locked("image.lock")
    ours = {canonicalize_name(requirement.name) for requirement in _wanted()}
    assert {n: (dev[n][0], image[n][0]) for n in ours if dev[n][0] != image[n][0]} == {}
