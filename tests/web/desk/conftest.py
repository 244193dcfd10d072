"""The desk's own pages over a Desk of services: organizers of every role, signed in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import delete, insert, update
from starlette.testclient import TestClient

from outreach.app import create_app
from outreach.db import unit_of_work, utcnow
from outreach.domain.roles import Role
from outreach.models import Member, Organizer, table
from outreach.services import access, campaigns, sessions
from outreach.web.desk.guard import COOKIE
from tests.services.conftest import database, postgres_url
from tests.services.helpers import Desk, desk

__all__ = ["database", "desk", "postgres_url"]
_MEMBERS, _ORGANIZERS = table(Member), table(Organizer)


@dataclass
class DeskSite:
    """The application over a desk, and browsers of those who use it."""

    desk: Desk
    clients: list[TestClient] = field(default_factory=list)

    def stranger(self) -> TestClient:
        """Nobody is signed in."""
        made = TestClient(create_app(), base_url="http://testserver", follow_redirects=False, raise_server_exceptions=False,
                          headers={"origin": "http://testserver", "accept": "text/html"})
        self.clients.append(made)
        return made

    def signed_in(self, role: Role | None = Role.OWNER, slug: str = "night-bus", *, operator: bool = False,
                  email: str = "") -> TestClient:
        """A browser of somebody with this role in the campaign (None: of another campaign's people), or of the operator."""
        email = email or f"{'operator' if operator else role or 'nobody'}@{slug}.example"
        access.invite(email)
        with unit_of_work() as c:
            c.execute(update(_ORGANIZERS).where(_ORGANIZERS.c.email == email).values(operator=operator, password="x", totp_key=b"x"))
            who = c.execute(_ORGANIZERS.select().where(_ORGANIZERS.c.email == email)).one().id
            if role and not operator:
                campaign = campaigns.get(slug).id
                c.execute(delete(_MEMBERS).where(_MEMBERS.c.campaign_id == campaign, _MEMBERS.c.organizer_id == who))
                c.execute(insert(_MEMBERS).values(campaign_id=campaign, organizer_id=who, role=role.value, at=self.desk.now))
        made = self.stranger()
        with unit_of_work() as c:
            opened = sessions.begin(c, who, now=utcnow())
        made.cookies.set(COOKIE, opened.cookie, domain="testserver.local", path="/o/")
        return made


@pytest.fixture
def desk_site(desk: Desk) -> Iterator[DeskSite]:
    """The desk over a database of its own; campaigns are the test's to make (`desk_site.desk.campaign()`)."""
    desk.set(public_url="http://testserver")
    site = DeskSite(desk)
    yield site
    for client in site.clients:
        client.close()
