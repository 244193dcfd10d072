"""The API over a Desk of services: programs with tokens of every role and scope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

from outreach.app import create_app
from outreach.db import dialect_insert, unit_of_work, utcnow
from outreach.domain.roles import ALL, RIGHTS, Right, Role
from outreach.models import Member, Organizer, table
from outreach.services import api_tokens, campaigns, terms
from outreach.services.access import Visitor
from outreach.web.api import ROOT
from tests.services.conftest import database, postgres_url
from tests.services.helpers import Desk, desk

__all__ = ["database", "desk", "postgres_url"]
_MEMBERS, _ORGANIZERS = table(Member), table(Organizer)


class Program(TestClient):
    """A client whose addresses begin after /api/v1."""

    def request(self, method: str, url: Any, **more: Any) -> Any:
        return super().request(method, f"{ROOT}{url}", **more)


@dataclass
class Api:
    """The application over a desk whose clock stands at the real time."""

    desk: Desk
    app: Any
    clients: list[Program] = field(default_factory=list)

    def token(self, role: Role | None = Role.OWNER, slug: str = "night-bus", *, scopes: Iterable[Right] | None = None,
              operator: bool = False, only: str | None = None, email: str = "") -> str:
        """A token of somebody with this role in a campaign (None: a part in none), with all scopes that they can give unless told."""
        email = email or f"{'operator' if operator else role or 'nobody'}@{slug}.example"
        with unit_of_work() as c:
            made = dialect_insert(c, _ORGANIZERS).values(email=email, operator=operator, created_at=self.desk.now,
                                                         accepted_terms=terms.VERSION)
            c.execute(made.on_conflict_do_nothing())
            who = c.execute(_ORGANIZERS.select().where(_ORGANIZERS.c.email == email)).one().id
            if role and not operator:
                c.execute(dialect_insert(c, _MEMBERS).values(campaign_id=campaigns.get(slug).id, organizer_id=who, role=role.value,
                                                             at=self.desk.now).on_conflict_do_nothing())
        given = ALL if operator else RIGHTS[role] if role else frozenset({Right.SEE})
        if role is None and not operator:
            return self._bare(who)
        return api_tokens.make(Visitor(who, email, "", operator, "", False), "a test", scopes=frozenset(scopes or given),
                               campaign_id=campaigns.get(only).id if only else None, expires_at=None, now=self.desk.now)

    def _bare(self, who: int) -> str:
        """A token with every scope for somebody who has no part anywhere."""
        token = api_tokens.PREFIX + f"bare-{who}"
        from outreach.models import ApiToken
        from outreach.services.sessions import hash_of

        with unit_of_work() as c:
            c.execute(insert(ApiToken).values(id=f"{who:026}", token_hash=hash_of(token), organizer_id=who, name="bare",
                                              scopes=[r.value for r in Right], created_at=self.desk.now))
        return token

    def client(self, token: str = "") -> Program:
        """A program with this token."""
        made = Program(self.app, raise_server_exceptions=False, follow_redirects=False,
                       headers={"authorization": f"Bearer {token}"} if token else {})
        self.clients.append(made)
        return made

    def program(self, role: Role | None = Role.OWNER, slug: str = "night-bus", **token: Any) -> Program:
        """A program with a fresh token."""
        return self.client(self.token(role, slug, **token))


@pytest.fixture
def api(desk: Desk) -> Iterator[Api]:
    """The API over a database of its own; campaigns are the test's to make."""
    desk.now = utcnow().replace(microsecond=0)
    desk.set(public_url="http://testserver", proof_of_work="off")
    made = Api(desk, create_app())
    yield made
    for client in made.clients:
        client.close()

