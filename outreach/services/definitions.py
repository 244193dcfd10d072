"""A campaign's definition as a file that programs read and write: the same file, with the same checks, as the command line's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert

from outreach.campaign_files import read_text, spec_digest, write_campaign
from outreach.domain.roles import Role
from outreach.errors import CampaignFileInvalid, Conflict, Mistake, NotAllowed, NotFound, OutreachError
from outreach.models import Member, table
from outreach.services import amendments, campaigns, proposals, terms
from outreach.services.access import Visitor
from outreach.services.campaign_import import ImportResult, store_campaign
from outreach.services.changes import Waiting
from outreach.settings import get_settings

_MEMBERS = table(Member)


class Outdated(OutreachError):
    """Somebody has changed the campaign since it was read."""


@dataclass(frozen=True, slots=True)
class Written:
    """What storing a file did, or would do; what its checks warn of; addresses that an operator has to approve first."""

    result: ImportResult
    warnings: tuple[str, ...]
    proposed: tuple[str, ...]


def read(slug: str) -> tuple[str, str]:
    """A campaign's file and its version's mark, equal for equal content. Raises NotFound."""
    spec = campaigns.spec_of(slug)
    return write_campaign(spec), spec_digest(spec)


def create(text: str, visitor: Visitor, *, now: datetime, who: str) -> Written:
    """Store a file as a new campaign, a draft that `visitor` owns. New addresses are proposed unless they are the operator.

    Raises CampaignFileInvalid, Conflict (the slug is taken), NotAllowed (acceptable use is not accepted).
    """
    if not terms.accepted(visitor):
        raise NotAllowed("the token's owner has not accepted the acceptable-use text; that is done at the desk, /o/terms")
    spec, warnings = read_text(text, get_settings(), now)
    if _taken(spec.slug):
        raise Conflict(f"there is a campaign {spec.slug!r} already; take another slug")
    new = [] if visitor.operator else proposals.new_places(spec)
    if new:
        proposals.propose(new, now=now, who=who)

    def owned(c: Connection, campaign_id: int) -> None:
        c.execute(insert(_MEMBERS).values(campaign_id=campaign_id, organizer_id=visitor.id, role=Role.OWNER.value, at=now))

    result = store_campaign(spec, now=now, who=who, warnings=tuple(warnings), fresh=True, finish=owned)
    return Written(result, tuple(warnings), tuple(value for channel, value in new if channel != "phone"))


def _taken(slug: str) -> bool:
    try:
        return bool(campaigns.get(slug))
    except NotFound:
        return False


def write(slug: str, text: str, *, expected: Callable[[str], bool], now: datetime, who: str, waiting: Waiting = Waiting.SEND,
          approved: bool = False, dry_run: bool = False) -> Written:
    """Store a file as the campaign's new version, if `expected` says of the mark in force that it is the one the writer knew.

    New addresses are proposed unless `approved`. Raises NotFound, Outdated, CampaignFileInvalid, Conflict (it is over, or somebody
    changes it at this moment).
    """
    known = campaigns.get(slug)
    if not expected(spec_digest(campaigns.spec_of_version(known.version_id))):
        raise Outdated(f"{slug} has changed since you read it; read it again")
    spec, warnings = read_text(text, get_settings(), now)
    if spec.slug != slug:
        raise CampaignFileInvalid([Mistake("campaign.toml", None, "slug", f"is {spec.slug!r}, but this is {slug!r}: a slug never changes")])
    done = amendments.amend(slug, lambda _known: spec, now=now, who=who, version_id=known.version_id, waiting=waiting, approved=approved,
                            dry_run=dry_run)
    return Written(done.result, tuple(warnings), done.proposed)
