"""Randomness without a generator to carry along: every dossier draws its own numbers from the seed and its index."""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from struct import Struct

_SIXTEEN = Struct("<16I")
_SCALE = 1 << 32


class Draws:
    """Sixteen numbers below 2**32 per index; the same ones for the same seed, purpose and index."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._start = blake2b(seed.to_bytes(8, "big", signed=True), person=purpose.encode()[:16])

    def of(self, index: int) -> tuple[int, ...]:
        """The sixteen numbers of ``index``."""
        hasher = self._start.copy()
        hasher.update(index.to_bytes(8, "big"))
        return _SIXTEEN.unpack(hasher.digest())


def unit(number: int) -> float:
    """A drawn number as a fraction in [0, 1)."""
    return number / _SCALE


def between(number: int, low: int, high: int) -> int:
    """A drawn number as an integer from ``low`` to ``high``, both included."""
    return low + (number * (high - low + 1) >> 32)


class Wheel:
    """Picks a position by weight."""

    def __init__(self, weights: Sequence[float]) -> None:
        total = sum(weights)
        self._limits = [int(limit * _SCALE / total) for limit in accumulate(weights)][:-1]

    def pick(self, number: int) -> int:
        """The position that a drawn number falls on."""
        return bisect_right(self._limits, number)
