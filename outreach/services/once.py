"""Idempotency keys: a write that is sent again under the same key is answered as before and not done again.

The key's row is committed before the work begins. A process that dies in between leaves a row without an answer; after a while the
next one with the key takes it over: a lever pulled twice stays pulled, a person's letter is one, and at worst a webhook is there
twice. Answers are kept sealed, since some hold a link or a secret that is shown only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, update

from outreach.db import dialect_insert, unit_of_work
from outreach.errors import Conflict, OutreachError
from outreach.models import IdempotencyKey, table
from outreach.queries import api as queries
from outreach.sealed import open_sealed, seal

_KEYS = table(IdempotencyKey)
KEPT = timedelta(days=1)
TAKEN_OVER = timedelta(minutes=5)
"""Nothing that the API does takes so long: whoever began it is dead."""


class InFlight(Conflict):
    """The first request under this key is still at work."""


class OtherRequest(OutreachError):
    """The key was used for another request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first request was answered: HTTP status and body."""

    status: int
    body: str


def begin(who: str, key: str, digest: str, *, now: datetime) -> Answer | None:
    """Claim a key of `who` for the request with this digest; None means go on, and call `finish` or `drop` afterwards.

    Raises InFlight and OtherRequest.
    """
    mine = (_KEYS.c.who == who, _KEYS.c.key == key)
    with unit_of_work() as c:
        c.execute(delete(_KEYS).where(*mine, _KEYS.c.at <= now - KEPT))
        made = c.execute(dialect_insert(c, _KEYS).values(who=who, key=key, digest=digest, at=now).on_conflict_do_nothing()
                         .returning(_KEYS.c.key)).scalar()
        if made is not None:
            return None
        row = queries.idempotency_key_locked(c, who, key)
        if row is None:  # dropped between the two statements: the other request came to nothing
            raise InFlight("this request is being worked on; send it again in a moment")
        if row.digest != digest:
            raise OtherRequest("this idempotency key was used for another request; take a new one")
        if row.status is not None:
            return Answer(row.status, _opened(row.body))
        if row.at > now - TAKEN_OVER:
            raise InFlight("this request is being worked on; send it again in a moment")
        c.execute(update(_KEYS).where(*mine).values(at=now))
        return None


def finish(who: str, key: str, answer: Answer) -> None:
    """Keep the answer."""
    with unit_of_work() as c:
        c.execute(update(_KEYS).where(_KEYS.c.who == who, _KEYS.c.key == key).values(
            status=answer.status, body=_sealed(answer.body)))


def drop(who: str, key: str) -> None:
    """Nothing came of it: the key is free again."""
    with unit_of_work() as c:
        c.execute(delete(_KEYS).where(_KEYS.c.who == who, _KEYS.c.key == key, _KEYS.c.status.is_(None)))


def forget(c: Connection, now: datetime) -> None:
    """Drop what is older than a day."""
    c.execute(delete(_KEYS).where(_KEYS.c.at <= now - KEPT))


def _sealed(body: str) -> str:
    return seal("idempotency", body.encode()).decode()


def _opened(kept: str | None) -> str:
    return open_sealed("idempotency", kept.encode()).decode() if kept else ""
