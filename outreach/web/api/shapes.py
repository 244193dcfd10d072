"""What routes share: bodies that take nothing unknown, and pieces of descriptions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from outreach.domain.roles import Right
from outreach.web.api.caller import Place, within
from outreach.web.api.problems import MEDIA_TYPE, Failed

Moment = Annotated[str, Field(description="ISO 8601, with its offset.", json_schema_extra={"format": "date-time"})]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]

Instant = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})$"),
                    Field(description="ISO 8601, with its offset.", json_schema_extra={"format": "date-time"})]
"""A moment that is sent; `instant` reads it."""

See = Annotated[Place, Depends(within(Right.SEE))]
Read = Annotated[Place, Depends(within(Right.READ))]
Steer = Annotated[Place, Depends(within(Right.STEER))]
Submit = Annotated[Place, Depends(within(Right.SUBMIT))]
Edit = Annotated[Place, Depends(within(Right.EDIT))]
Moderate = Annotated[Place, Depends(within(Right.MODERATE))]
TakeAway = Annotated[Place, Depends(within(Right.EXPORT))]
TakeLetters = Annotated[Place, Depends(within(Right.EXPORT, Right.READ))]


class Body(BaseModel):
    """What is sent: nothing unknown, nothing of another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


def instant(text: str) -> datetime:
    """A moment that was sent. Raises Failed for one that there is not."""
    try:
        found = datetime.fromisoformat(text)
        found.astimezone(UTC)
    except (ValueError, OverflowError) as e:
        raise Failed(422, "invalid", "There is no such moment; write it like 2027-01-22T17:00:00-05:00.") from e
    return found


_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def problem(description: str) -> dict[str, Any]:
    """A problem in the description of a route's answers."""
    return {"description": description, **_PROBLEM}


ALWAYS: dict[int | str, dict[str, Any]] = {
    401: problem("No token, or one that opens nothing."), 403: problem("The token, its owner or a rule does not allow it."),
    404: problem("There is no such thing, or it is not yours."), 422: problem("Some of it is missing or wrong."),
    503: problem("The database is away: try again later.")}
WRITES: dict[int | str, dict[str, Any]] = {
    **ALWAYS, 400: problem("It cannot be read."),
    409: problem("Its state does not allow it, or the first request under this key is at work."),
    413: problem("It is longer than a megabyte."), 429: problem("Too many from this network.")}
