"""Runs an iterator in a thread of its own, a few elements ahead of its consumer.

Fetching waits for the network and loading waits for the database; run one after the other, each half of the machine
idles while the other works. Exceptions come out at the consumer's side, in order; leaving the consumer early stops
the producer.
"""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class _Element(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


@contextmanager
def ahead(source: Iterable[T], depth: int = 2) -> Iterator[Iterator[T]]:
    """Yield an iterator over ``source`` that is filled by a thread, at most ``depth`` elements ahead."""
    ready: queue.Queue[_Element[T] | _End] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(message: _Element[T] | _End) -> bool:
        while not stopped.is_set():
            try:
                ready.put(message, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for value in source:
                if not put(_Element(value)):
                    return
        except BaseException as error:
            put(_End(error))
        else:
            put(_End(None))

    def consume() -> Iterator[T]:
        while isinstance(message := ready.get(), _Element):
            yield message.value
        if message.error is not None:
            raise message.error

    thread = threading.Thread(target=produce, name="ahead", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stopped.set()
        thread.join()
