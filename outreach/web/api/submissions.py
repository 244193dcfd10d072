"""Submissions: a letter sent on behalf of a supporter who filled in a partner's form."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.requests import Request

from outreach.errors import FormInvalid
from outreach.services import forms, partners
from outreach.services.forms import FormInput
from outreach.web.api.route import Guarded, declared
from outreach.web.api.shapes import WRITES, Body, Submit, Text

router = APIRouter(route_class=Guarded, tags=["submissions"])
NOT_AGREED = "The supporter has to agree to the wording in force; `consent_version` of the campaign names it."



class Submission(Body):
    """What the supporter's form has: docs/api.md says which fields a campaign asks for."""

    name: Annotated[Text, Field(max_length=100)] = Field(examples=["Jane Doe"])
    email: Annotated[Text, Field(max_length=254)] = Field(examples=["jane@people.example"])
    channel: Literal["email", "fax"]
    targets: Annotated[list[Annotated[Text, Field(max_length=80)]], Field(max_length=500)] = Field(
        default_factory=list, description="Ids of targets; may be left out where there is only one.", examples=[["commissioner"]])
    consent_version: Annotated[Text, Field(max_length=20)] = Field(description="Of the wording that the supporter agreed to, unticked "
                                                                               "before.", examples=[forms.CONSENT_VERSION])
    street: Annotated[Text, Field(max_length=150)] = ""
    city: Annotated[Text, Field(max_length=100)] = Field("", examples=["Toronto"])
    postal_code: Annotated[Text, Field(max_length=16)] = ""
    phone: Annotated[Text, Field(max_length=30)] = ""
    affiliation: Annotated[Text, Field(max_length=150)] = ""
    subject: Annotated[Text, Field(max_length=250)] = Field("", description="Their own, where the campaign lets them change it.")
    body: Annotated[Text, Field(max_length=20_000)] = Field("", description="Likewise; empty sends the campaign's text.")
    language: Annotated[Text, Field(max_length=20)] = Field("", description="Of the campaign's languages; else its first.", examples=["en"])
    updates: bool = Field(False, description="They want news of the campaign.")
    public_name: bool = Field(False, description="Their name may be shown in public.")
    client_ip: Annotated[Text, Field(max_length=45)] | None = Field(None, description="From where the supporter came; only a keyed hash of "
                                                                    "its network is kept, for a day.", examples=["203.0.113.7"])


class Taken(BaseModel):
    """It is taken. A repeat is answered alike, so that nobody can ask whether somebody has written."""

    status_url: str = Field(description="The supporter's own page, which shows the state of each letter. It is theirs alone.")


@router.post("/campaigns/{slug}/submissions", operation_id="submit", status_code=201, responses=WRITES, dependencies=[Depends(declared)])
def submit(request: Request, at: Submit, body: Submission) -> Taken:
    """Send a supporter's letter, with all checks, limits and rules of the campaign's own form.

    Where mailboxes are confirmed, the supporter gets a mail first.
    """
    fields = body.model_dump(exclude={"consent_version", "client_ip", "targets", "subject", "body"})
    errors = {} if body.consent_version == forms.CONSENT_VERSION else {"consent_version": NOT_AGREED}
    if body.client_ip is not None and not _is_address(body.client_ip):
        errors["client_ip"] = "This is no IP address."
    if errors:
        raise FormInvalid(errors)
    form = FormInput(token="", targets=tuple(body.targets), consent=True, subject=body.subject or None, body=body.body or None, **fields)
    return Taken(status_url=partners.submit_for(at.campaign, form, network=at.caller.network, supporters_network=body.client_ip,
                                                token_id=at.caller.token_id, who=at.who, now=at.now))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
