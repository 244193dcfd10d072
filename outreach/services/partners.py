"""Letters that another site takes for its visitors and passes on: the same checks and the same limits as on the form.

The partner's server stands between us and the supporter, so it says from where the supporter came. That word is counted like any
other network; and because it is only a word, all that one token passes on is counted too.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from outreach import tokens
from outreach.db import unit_of_work
from outreach.services import audit, forms, submit, throttle
from outreach.services.campaigns import CampaignRow
from outreach.services.forms import FormInput
from outreach.settings import get_settings

MOST = 2000
"""Submissions that one token may pass on in an hour from one network of its own."""


def submit_for(campaign: CampaignRow, form: FormInput, *, network: str | None, supporters_network: str | None, token_id: str, who: str,
               now: datetime) -> str:
    """Take a form from a partner's site; returns the address of its status page.

    `network` is where the call came from, `supporters_network` where the partner says the supporter came from. `who` passes
    letters on, the audit log says once an hour, without a word of theirs. Raises what `submit` raises, and TooMany.
    """
    with unit_of_work() as c:
        if throttle.spend_for(c, network, f"API token {token_id}", MOST, now):
            audit.note(c, "letters passed on by program", at=now, who=who, campaign_id=campaign.id,
                       detail="the first in an hour")
    made = replace(form, token=tokens.new_form_token(now - forms.HASTE))  # no page of ours was open that haste could be seen by
    return f"{get_settings().public_url}/s/{submit.submit(campaign.slug, made, network=supporters_network or network, now=now)}"
