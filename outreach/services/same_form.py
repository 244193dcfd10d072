"""Whether a form that comes with a known token is the same once more, or another one: docs/decisions/0023.

A browser that goes back shows the page it had, token and all. What is sent from it then may be what was sent before (a double click,
a flaky network), the same with a mistake put right, or somebody else's letter from a shared tablet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from outreach import tokens
from outreach.queries import submissions
from outreach.services import campaigns, forms
from outreach.services.forms import FormInput

_COMPARED = ("channel", "asked", "language", "name", "street", "city", "postal_code", "phone", "affiliation", "updates", "public_name")
_NOT_CONTENT = ("token", "proof", "honeypot")


def was_sent(c: Connection, form: FormInput, written: Mapping[str, Any]) -> bool:
    """Whether the submission that has this form's token holds what the form (checked; `written` are its columns) says."""
    first = submissions.by_form(c, tokens.form_hash(form.token))
    if first is None or first.campaign_id != written["campaign_id"] or first.erased_at is not None:
        return False  # of an erased one nothing is left to tell it by
    if first.email.casefold() != form.email.casefold() or any(getattr(first, n) != written[n] for n in _COMPARED):
        return False
    return forms.own_words(form, campaigns.spec_of_version(first.version_id)) == (first.subject, first.body)


def other_token(form: FormInput, campaign_id: int) -> str:
    """The token of this form's page when its own is taken by something else: always the same for the same content, so that it, too,
    is one submission however often it comes."""
    content = {k: v for k, v in asdict(form).items() if k not in _NOT_CONTENT}
    content |= {"email": form.email.casefold(), "targets": sorted(form.targets)}
    return tokens.other_form_token(form.token, json.dumps([campaign_id, content], sort_keys=True))
