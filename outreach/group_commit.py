"""Several small transactions as one: whoever comes while a commit is under way shares the next one.

Each waits for its own commit as before and nothing is answered early; only the flush to disk, and the wait for the
database's write lock, are shared. One that fails takes nobody with it: its group is done again one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from outreach.db import unit_of_work

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST = 32


@dataclass(eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    result: Result | None = None
    error: BaseException | None = None
    done: bool = False


class GroupCommit(Generic[Item, Result]):
    """Calls `work(connection, items)`, which returns a result for each, in one unit of work.

    `work` may be called twice for an item, the first time in a transaction that was rolled back.
    """

    def __init__(self, work: Callable[[Connection, Sequence[Item]], Sequence[Result]]) -> None:
        self._work = work
        self._queue: list[_Waiting[Item, Result]] = []
        self._queue_lock = threading.Lock()
        self._turn = threading.Lock()

    def __call__(self, item: Item) -> Result:
        """The result for this item, committed. Raises whatever `work` or the commit raised for it."""
        mine: _Waiting[Item, Result] = _Waiting(item)
        with self._queue_lock:
            self._queue.append(mine)
        while not mine.done:
            with self._turn:
                if not mine.done:
                    self._serve()
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # set with `done`

    def _serve(self) -> None:
        """Do the next group; only who holds the turn comes here."""
        with self._queue_lock:
            group, self._queue = self._queue[:MOST], self._queue[MOST:]
        try:
            self._together(group)
        except Exception:
            for one in group:
                self._alone(one)

    def _together(self, group: list[_Waiting[Item, Result]]) -> None:
        with unit_of_work() as c:
            results = self._work(c, [one.item for one in group])
        for one, result in zip(group, results, strict=True):
            one.result, one.done = result, True

    def _alone(self, one: _Waiting[Item, Result]) -> None:
        try:
            with unit_of_work() as c:
                [one.result] = self._work(c, [one.item])
        except Exception as e:
            one.error = e
        one.done = True
