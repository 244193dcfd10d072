"""Which transport the settings ask for. `sandbox` is the real smtp and twilio transports, pointed at servers of ours."""

from __future__ import annotations

from outreach.domain.letters import Channel
from outreach.settings import Settings, SettingsInvalid
from outreach.transports.base import FaxTransport, MailTransport
from outreach.transports.sandbox import sandbox_credentials
from outreach.transports.webhooks import parse_webhook

__all__ = ["fax_transport", "impatient_fax_transport", "mail_transport", "parse_webhook", "sandbox_credentials", "transport_name"]


def transport_name(channel: Channel, settings: Settings) -> str:
    """The name of the transport that takes a channel's letters, as it stands in attempts, breakers and pauses."""
    if channel is Channel.FAX:
        return "telnyx" if settings.fax_transport == "telnyx" else "twilio"
    return "sendgrid" if settings.email_transport == "sendgrid" else "smtp"


def mail_transport(settings: Settings) -> MailTransport:
    """Raises SettingsInvalid when what it needs is missing."""
    if settings.email_transport == "sendgrid":
        from outreach.transports.email.sendgrid import SendGridTransport

        return SendGridTransport.from_settings(settings)
    from outreach.transports.email.smtp import SmtpTransport
    from outreach.transports.email.smtp_server import SmtpServer, helo_name

    if settings.email_transport == "smtp":
        return SmtpTransport.from_settings(settings)
    url = f"smtp://127.0.0.1:{_port(settings.smtp_sandbox_port, 'OUTREACH_SMTP_SANDBOX_PORT')}"
    return SmtpTransport(SmtpServer.from_url(url, helo=helo_name(settings), timeout=settings.smtp_timeout), settings.key())


def fax_transport(settings: Settings) -> FaxTransport:
    """Raises SettingsInvalid when what it needs is missing."""
    if settings.fax_transport == "telnyx":
        from outreach.transports.fax.telnyx import TelnyxFaxTransport

        return TelnyxFaxTransport.from_settings(settings)
    from outreach.transports.fax.twilio import TwilioFaxTransport

    if settings.fax_transport == "twilio":
        return TwilioFaxTransport.from_settings(settings)
    url = f"http://127.0.0.1:{_port(settings.http_sandbox_port, 'OUTREACH_HTTP_SANDBOX_PORT')}/v1/Faxes"
    return TwilioFaxTransport(url, *sandbox_credentials(settings), settings.http_timeout)


def impatient_fax_transport(settings: Settings, seconds: float) -> FaxTransport:
    """The same for questions: waits at most `seconds` for an answer, since whoever asks has other things to do."""
    return fax_transport(settings.model_copy(update={"http_timeout": min(settings.http_timeout, seconds)}))


def _port(port: int, variable: str) -> int:
    if not port:
        raise SettingsInvalid(f"the sandbox is not running: `outreach up` starts it, or set {variable}")
    return port
