"""The demo's sample campaigns and its welcome."""

from __future__ import annotations

from outreach.db import utcnow
from outreach.errors import NotFound
from outreach.render.files import template_dir
from outreach.services import access, blocks, campaigns
from outreach.settings import get_settings

PACE = "20/minute"
"""The demo's limit for each sample address, whatever the sample campaign says."""


def load() -> list[str]:
    """Import and publish the ready-made campaigns, anew where their deadline has passed. Returns their slugs."""
    now, slugs = utcnow(), []
    for folder in sorted((template_dir() / "campaigns").iterdir()):
        if not (folder / "campaign.toml").exists():
            continue
        slug = folder.name
        try:
            row = campaigns.get(slug)
            fresh = row.deadline is None or row.deadline > now
        except NotFound:
            fresh = False
        if not fresh:
            slug = campaigns.import_campaign(folder, now=now).slug
        if campaigns.get(slug).state == "draft":
            campaigns.set_state(slug, "publish", now=now)
            _hurry(slug)
        slugs.append(slug)
    return slugs


def _hurry(slug: str) -> None:
    """Whoever tries the demo should not wait as long between two letters as an office deserves."""
    now = utcnow()
    for address in {a.value for t in campaigns.targets_of(campaigns.get(slug).id) for a in t.addresses if a.channel != "phone"}:
        blocks.pin_limit(address, PACE, now=now)


def welcome(slugs: list[str]) -> str:
    """What `make demo` prints when the service answers."""
    url = get_settings().public_url
    pages = "\n".join(f"  {url}/c/{slug}" for slug in slugs)
    return (f"\nOutreach runs at {url}\n\nWrite a letter as a supporter:\n{pages}\n\n"
            f"Read what arrived (mails with their confirmation codes, fax pages):\n  {url}/sandbox\n\n"
            f"Watch as an organizer (this link works once):\n  {access.invite('organizer@outreach.example', operator=True)}\n\n"
            "Nothing leaves this machine. Ctrl-C stops it.\n")
