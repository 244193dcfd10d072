"""/privacy, put together from what the service and each live campaign really ask for and keep."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from outreach.db import utcnow
from outreach.domain.campaign import PERSONAL_FIELDS
from outreach.i18n import gettext_for
from outreach.locale import interface_language
from outreach.services import campaigns
from outreach.services.confirm_rules import confirms
from outreach.settings import get_settings
from outreach.web.campaign_page import uses_affiliation
from outreach.web.pages import page, wanted_language

router = APIRouter()


def privacy(request: Request) -> Response:
    """GET /privacy."""
    language = wanted_language(request)
    ui = interface_language(language)
    settings = get_settings()
    return page("supporter/privacy.html", language, s=settings, campaigns=[_campaign(c.slug, ui) for c in campaigns.live(utcnow())],
                transports={settings.email_transport, settings.fax_transport} - {"sandbox"})


def _campaign(slug: str, ui: str) -> dict[str, Any]:
    _ = gettext_for(ui)
    spec = campaigns.spec_of(slug)
    labels = {"street": _("Street and number"), "city": _("Town or city"), "postal_code": _("Postal code"), "phone": _("Telephone")}
    asked = [(_("Your full name"), True), (_("Your e-mail address"), True)]
    asked += [(labels[f], spec.fields[f] == "required") for f in PERSONAL_FIELDS if spec.fields.get(f, "off") != "off"]
    if uses_affiliation(spec):
        asked.append((_("Organisation you write for"), False))
    return {"slug": slug, "title": spec.title, "asked": asked, "targets": [t.name for t in spec.targets], "inbox": spec.copied_to,
            "contact": spec.contact, "confirm": confirms(spec)}


router.add_route("/privacy", privacy, ["GET"])
