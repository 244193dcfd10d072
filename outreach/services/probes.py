"""Try the configured providers with something harmless."""

from __future__ import annotations

from outreach.db import new_id, utcnow
from outreach.settings import get_settings
from outreach.transports.base import Accepted, Mailbox, OutgoingMail, Refused
from outreach.transports.registry import mail_transport


def send_test(to: str) -> str:
    """Hand one mail to the provider; returns its answer in words. Raises TransportDown."""
    settings, now = get_settings(), utcnow()
    mail_id = new_id()
    text = f"This is a test of {settings.operator_name or 'Outreach'} at {settings.public_url}. It arrived, so e-mail works."
    mail = OutgoingMail(mail_id, f"t-{mail_id}@{settings.mail_domain}", settings.mail_from,
                        Mailbox(settings.mail_from, settings.operator_name), Mailbox(to), "A test from Outreach", text,
                        f"<p>{text.replace('&', '&amp;').replace('<', '&lt;')}</p>", now)
    with mail_transport(settings).connect() as session:
        outcome = session.hand_over(mail)
    if isinstance(outcome, Accepted):
        return f"accepted by the provider ({outcome.provider_ref})"
    if isinstance(outcome, Refused):
        return f"refused: {outcome.reason.value} {outcome.detail}"
    return f"not known whether it went: {outcome.why}"
