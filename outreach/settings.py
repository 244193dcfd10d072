"""Every setting of the service, in one class; `docs/settings.md` has the same table and a test compares them.

Environment variables are `OUTREACH_` plus the name in capitals; a `.env` file in the working directory is read too, and
`OUTREACH_NAME_FILE` names a file that holds the value (for container secrets).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from outreach import files
from outreach.domain.pacing import Rule, parse_rules
from outreach.errors import OutreachError


class SettingsInvalid(OutreachError):
    """A setting is missing or wrong; the text names its environment variable."""


class Settings(BaseSettings):
    """The service's settings. Secrets are `SecretStr`, so that a log or a traceback shows asterisks."""

    model_config = SettingsConfigDict(env_prefix="OUTREACH_", env_file=".env", extra="ignore")

    data_dir: Path = Field(Path("var"), description="Where SQLite, the embedded Valkey, keys and the sandbox keep their files.")
    database_url: str = Field("", description="SQLAlchemy URL; empty means SQLite under DATA_DIR. postgresql://… for Postgres.")
    redis_url: str = Field("", description="Redis or Valkey for RQ; empty means an embedded Valkey that `outreach up` starts.")
    public_url: str = Field("http://127.0.0.1:8000", description="What supporters and providers reach the service by; no path.")
    host: str = Field("127.0.0.1", description="Address that the web server listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port that the web server listens on.")
    web_processes: int = Field(1, ge=1, le=64, description="Web server processes of `outreach up` and `outreach web`.")
    trusted_proxies: str = Field("127.0.0.1", description="Proxies whose X-Forwarded-For is believed, comma separated.")
    secret_key: SecretStr = Field(SecretStr(""), description="Signs tokens and links; empty means one made and kept in DATA_DIR.")
    demo: bool = Field(False, description="Sample data, sandbox pages and one-time login; never for real campaigns.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    operator_name: str = Field("", description="Who runs this service; stands in each letter. Needed to publish.")
    operator_address: str = Field("", description="The operator's postal address. Needed to publish.")
    operator_contact: str = Field("", description="The operator's e-mail address for reports. Needed to publish.")
    operator_phone: str = Field("", description="An answered telephone number for fax headers; else the campaign's contact or FAX_FROM.")

    mail_from: str = Field("letters@localhost", description="Address that letters are sent from; its domain is the Message-IDs'.")
    email_transport: Literal["sandbox", "smtp", "sendgrid"] = Field("sandbox", description="How e-mail goes out.")
    smtp_url: SecretStr = Field(SecretStr(""), description="smtp://user:password@host:587 (STARTTLS where offered), smtps://…:465, "
                                "smtp+starttls://… (STARTTLS or nothing).")
    smtp_timeout: float = Field(60, gt=0, description="Seconds that one SMTP command may take; a mail as a whole five times that.")
    sendgrid_api_key: SecretStr = Field(SecretStr(""), description="SendGrid API key.")
    sendgrid_url: str = Field("https://api.sendgrid.com", description="SendGrid's base URL.")
    sendgrid_webhook_key: str = Field("", description="SendGrid's event webhook verification key (base64 of its public key).")
    bounce_maildir: str = Field("", description="A Maildir that bounces (DSNs) arrive in; read by the ticker.")
    bounce_imap_url: SecretStr = Field(SecretStr(""), description="imaps://user:password@host/INBOX that bounces arrive in.")
    verp: bool = Field(True, description="Give each attempt its own envelope sender (letters+b-…@domain), so that each bounce names it; "
                       "else a signed header does, where the bounce gives it back.")

    fax_transport: Literal["sandbox", "twilio", "telnyx"] = Field("sandbox", description="How faxes go out.")
    fax_from: str = Field("", description="The fax number of yours that calls are made from, +E.164, like +14165550100; providers refuse "
                          "a fax without one.")
    fax_media: Literal["", "tiff", "pdf"] = Field("", description="What a provider that fetches the fax is given; empty means `pdf`, and "
                                                  "`tiff` for the sandbox.")
    fax_lines: int = Field(8, ge=1, le=1000, description="Calls that the fax provider may have under way at once, over all numbers.")
    fax_ttl_minutes: int = Field(30, ge=5, le=300, description="Minutes a provider may keep trying one fax, 5 to 300; the line is held "
                                 "so long.")
    twilio_account_sid: str = Field("", description="Account SID of the provider with Twilio's fax shape.")
    twilio_auth_token: SecretStr = Field(SecretStr(""), description="Its auth token; also verifies its callbacks.")
    twilio_fax_url: str = Field("", description="Full URL of the Faxes collection. SignalWire: https://SPACE.signalwire.com/api/laml/"
                                "2010-04-01/Accounts/PROJECT/Faxes. Twilio itself closed its fax product in 2021.")
    telnyx_api_key: SecretStr = Field(SecretStr(""), description="Telnyx API key.")
    telnyx_url: str = Field("https://api.telnyx.com", description="Telnyx's base URL.")
    telnyx_public_key: str = Field("", description="Telnyx's public key for webhooks (base64 Ed25519).")
    telnyx_connection_id: str = Field("", description="Telnyx fax application id (connection_id).")
    http_timeout: float = Field(30, gt=0, description="Seconds that an HTTP provider may be silent; one request as a whole may take "
                                "twice that.")

    confirm: Literal["email", "none"] = Field("email", description="Whether supporters prove their mailbox before letters go out.")
    proof_of_work: Literal["on", "off"] = Field("on", description="Browsers may earn a higher allowance per network by computing.")
    max_email_rate: Annotated[tuple[Rule, ...], NoDecode] = Field(parse_rules("20/hour"),
        description="Ceiling for each e-mail address over all campaigns; `none` lifts it.")
    max_fax_rate: Annotated[tuple[Rule, ...], NoDecode] = Field(parse_rules("6/hour"),
        description="Ceiling for each fax number over all campaigns; `none` lifts it.")
    max_per_day: int = Field(0, ge=0, description="Most letters handed over per UTC day, the whole service; 0 is no limit.")
    copies_per_hour: int = Field(60, ge=1, description="Ceiling for mails an hour to one campaign inbox (copies in Cc, copies of faxes, "
                                 "digests), over all campaigns; 20 at freemail providers. Beyond it copies come in digests.")
    digest_megabytes: int = Field(10, ge=1, le=100, description="Size of a digest mail with its zipped fax pages; the rest follows in "
                                  "further ones.")
    max_per_network: int = Field(20, ge=1, description="Submissions an hour from one network prefix (IPv4 /24, IPv6 /48); "
                                 "four times that with proof of work. Loopback is not counted.")
    allowed_countries: Annotated[frozenset[str], NoDecode] = Field(
        frozenset("AT AU BE CA CH DE DK ES FI FR GB IE IT NL NO NZ PT SE US".split()),
        description="ISO country codes that fax numbers may belong to, comma separated.")
    allowed_kinds: Annotated[frozenset[str], NoDecode] = Field(frozenset({"office", "representative", "company"}),
        description="Kinds of target that campaigns may address; add `private` only with care.")

    require_totp: bool = Field(True, description="Whether organizers need a second factor (an authenticator app) beside their password.")
    moderate: Literal["none", "edited", "all"] = Field("none", description="The least that every campaign's moderation covers: `edited` "
                                                       "letters or `all`; a campaign may ask for more.")
    currency: str = Field("USD", pattern="^[A-Z]{3}$", description="Currency of budgets and costs, ISO 4217.")
    fax_page_price: str = Field("0.07", pattern=r"^\d{1,4}(\.\d{1,6})?$", description="What a fax page costs until its provider says "
                                "so, in the currency above; budgets count with it.")

    webhooks_to: Literal["public", "any"] = Field("public", description="Where organizers' webhooks may lead: `public`, only https on the "
                                                  "public internet; `any`, also into your own network.")

    pause_at_failures: int = Field(30, ge=0, le=100, description="A campaign pauses itself when so many percent of its hand-overs within "
                                   "an hour (and at least 20) failed for good; 0 never.")
    window: int = Field(4, ge=1, le=50, description="Hand-overs that one ledger commit covers; bounds what a crash leaves unknown.")
    slice_seconds: float = Field(5, gt=0, description="How long one RQ job drains before it gives way.")
    workers_email: int = Field(1, ge=0, le=64, description="E-mail workers that `outreach up` starts.")
    workers_fax: int = Field(1, ge=0, le=64, description="Fax workers that `outreach up` starts.")
    workers_notice: int = Field(1, ge=0, le=64, description="Workers for confirmations and other notices that `outreach up` starts.")
    smtp_sandbox_port: int = Field(0, description="Port of the sandbox mail server; set by `outreach up`.")
    http_sandbox_port: int = Field(0, description="Port of the sandbox fax and SendGrid-shaped provider; set by `outreach up`.")

    @classmethod
    def settings_customise_sources(cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
                                   env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
                                   file_secret_settings: PydanticBaseSettingsSource) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _FileValues(settings_cls), dotenv_settings

    @field_validator("max_email_rate", "max_fax_rate", mode="before")
    @classmethod
    def _rules(cls, value: Any) -> Any:
        return parse_rules(value) if isinstance(value, str) else value

    @field_validator("allowed_countries", "allowed_kinds", mode="before")
    @classmethod
    def _names(cls, value: Any, info: Any) -> Any:
        if not isinstance(value, str):
            return value
        names = (n.strip() for n in value.split(",") if n.strip())
        return frozenset(n.upper() if info.field_name == "allowed_countries" else n.lower() for n in names)

    @field_validator("public_url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
            raise ValueError("must be like https://letters.example, without a path")
        return value.rstrip("/")

    @property
    def mail_domain(self) -> str:
        """The domain of letters' Message-IDs."""
        return self.mail_from.rpartition("@")[2]

    @property
    def fetched_media(self) -> Literal["tiff", "pdf"]:
        """What a provider that fetches the fax is given. Those of Twilio's shape document PDF only (docs/providers.md)."""
        return self.fax_media or ("tiff" if self.fax_transport == "sandbox" else "pdf")

    @property
    def db_url(self) -> str:
        """The SQLAlchemy URL with its driver named."""
        url = self.database_url or f"sqlite:///{(self.data_dir / 'outreach.db').resolve()}"
        for plain in ("postgres://", "postgresql://"):
            if url.startswith(plain):
                return "postgresql+psycopg://" + url.removeprefix(plain)
        return url

    @property
    def broker_url(self) -> str:
        """Where RQ's Redis is: the one that is set, else the socket of the Valkey that `outreach up` embeds."""
        return self.redis_url or f"unix://{self.valkey_socket}"

    @property
    def valkey_socket(self) -> Path:
        """The embedded Valkey's socket. A socket's path may have about a hundred characters, so a long one moves to /tmp."""
        path = (self.data_dir / "valkey" / "valkey.sock").resolve()
        if len(str(path)) < 100:
            return path
        return Path(tempfile.gettempdir()) / f"outreach-{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.sock"

    def key(self) -> bytes:
        """The service's secret key, at least 32 bytes; made on first use when none is set.

        Raises SettingsInvalid for one that is too short to be a secret.
        """
        if given := self.secret_key.get_secret_value():
            if len(given) < 16 or len(set(given)) < 6:
                raise SettingsInvalid("OUTREACH_SECRET_KEY is too weak: use at least 32 random characters, for example the "
                                      "output of `openssl rand -hex 32`")
            return given.encode()
        return _kept_key(self.data_dir / "secret_key")


class _FileValues(PydanticBaseSettingsSource):
    """`OUTREACH_NAME_FILE=/run/secrets/name`: the setting's value is the file's text."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"OUTREACH_{field_name.upper()}_FILE")
        return (Path(path).read_text(encoding="utf-8").strip() if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(f, name)[0] for name, f in self.settings_cls.model_fields.items()}
        return {k: v for k, v in values.items() if v is not None}


def _kept_key(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    files.closed_folder(path.parent)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(secrets.token_hex(32))
    try:
        os.link(fresh, path)  # the first process wins; the others read what it made
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return path.read_bytes()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once. Raises SettingsInvalid with every wrong variable named."""
    from pydantic import ValidationError

    try:
        return Settings()  # type: ignore[call-arg]
    except ValidationError as e:
        lines = [f"OUTREACH_{'_'.join(str(p) for p in x['loc']).upper()}: {x['msg']}" for x in e.errors()]
        raise SettingsInvalid("\n".join(lines)) from e
