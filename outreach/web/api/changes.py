"""One thing of a campaign's file changed by itself: the deadline, a target's addresses. The rest of the file stays as it is."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from outreach.domain.roles import Right
from outreach.errors import NotAllowed
from outreach.services import amendments
from outreach.services.amendments import Amend
from outreach.services.changes import Waiting
from outreach.web.api.caller import Place
from outreach.web.api.definitions import Imported
from outreach.web.api.problems import Failed
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import WRITES, Body, Instant, Steer, Text, instant
from outreach.web.api.targets import Key

router = APIRouter(route_class=Guarded, tags=["targets"])
Become = Annotated[Waiting, Query(description="What becomes of letters that wait: send as written, ask their writers again, or cancel.")]
DryRun = Annotated[bool, Query(description="Say what would happen, and store nothing.")]


class Deadline(Body):
    """Until when."""

    deadline: Instant | None = Field(description="null: none.", examples=["2027-01-22T17:00:00-05:00"])


class Addresses(Body):
    """All of a target's addresses on one channel."""

    values: Annotated[list[Annotated[Text, Field(min_length=1, max_length=320)]], Field(max_length=50)] = Field(
        description="In order of preference; what is left out is taken away.", examples=[["+14165550133", "+14165550134"]])


@router.put("/campaigns/{slug}/deadline", operation_id="set_deadline", responses=WRITES, dependencies=[Depends(declared)],
            tags=["campaigns"])
def set_deadline(at: Steer, body: Deadline, waiting: Become = Waiting.SEND, dry_run: DryRun = False) -> Imported:
    """Move the deadline: a new version of the campaign. Letters that expired at the old one go on before the new one."""
    return _amended(at, amendments.deadline(instant(body.deadline) if body.deadline else None), waiting, dry_run)


@router.put("/campaigns/{slug}/targets/{target}/addresses/{channel}", operation_id="set_addresses", responses=WRITES,
            dependencies=[Depends(declared)])
def set_addresses(*, at: Steer, target: Key, channel: Literal["email", "fax"], body: Addresses, waiting: Become = Waiting.SEND,
                  dry_run: DryRun = False) -> Imported:
    """Replace a target's addresses: a new version of the campaign. New ones wait for the operator's approval."""
    return _amended(at, amendments.addresses(target, channel, body.values), waiting, dry_run)


def _amended(at: Place, change: Amend, waiting: Waiting, dry_run: bool) -> Imported:
    try:
        made = amendments.amend(at.slug, change, now=at.now, who=at.who, waiting=waiting, approved=Right.OPERATE in at.rights,
                                dry_run=dry_run)
    except NotAllowed as e:
        raise Failed(422, "invalid", str(e)) from e
    done = made.result
    return Imported(version=done.version, stored=done.changed and not dry_run, changes=list(done.changes), warnings=list(made.notes),
                    letters=list(done.letters), proposed=list(made.proposed))
