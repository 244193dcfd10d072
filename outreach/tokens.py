"""Links and tokens: what only we could have made. Each purpose has a key of its own, derived from the service's secret.

- the form's token comes with the page and becomes the status page's; it shows bare states only
- the mailed token proves the mailbox
- media, verification and code tokens are short MACs over what they open
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from functools import lru_cache

from outreach.errors import Forged
from outreach.settings import get_settings


@lru_cache(maxsize=32)
def key(purpose: str) -> bytes:
    """A key of 32 bytes for one purpose."""
    return hmac.new(get_settings().key(), purpose.encode(), hashlib.sha256).digest()


LENGTH = 22  # characters of 6 bits: 132 bits
VERIFY = 12  # typed from paper
_FORM = 16


def mac(purpose: str, value: str, *, length: int = LENGTH) -> str:
    """A MAC of `value`, URL-safe, `length` characters of 6 bits each."""
    digest = hmac.digest(key(purpose), value.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode()[:length]


def check(purpose: str, value: str, given: str, *, length: int = LENGTH) -> None:
    """Raises Forged unless `given` is the MAC of `value` in its whole `length`: a beginning of it proves less than was promised,
    and one that goes on would be a second spelling of the same link."""
    if not hmac.compare_digest(mac(purpose, value, length=length).encode(), given.encode()):
        raise Forged("the link is not one of ours")


def new_form_token(now: datetime | None = None) -> str:
    """A fresh token for the form's hidden field: when it was made (so that a robot's haste shows), 120 random bits, a MAC."""
    made = format(int((now or datetime.now(UTC)).timestamp()), "x")
    body = f"{made}-{secrets.token_urlsafe(15)}"
    return f"{body}-{mac('form', body, length=_FORM)}"


def form_token_made_at(token: str) -> datetime:
    """When a form token was made. Raises Forged for anything else."""
    body, given = token[: -_FORM - 1], token[-_FORM:]  # by length: a MAC may hold a hyphen itself
    if token[-_FORM - 1 : -_FORM] != "-":
        raise Forged("not a form of ours")
    check("form", body, given, length=_FORM)
    return datetime.fromtimestamp(int(body.partition("-")[0], 16), UTC)


def other_form_token(token: str, content: str) -> str:
    """The status page's token for something else that was sent with a form's token which is taken."""
    return f"s-{mac('form again', f'{token} {content}')}"


def form_hash(token: str) -> str:
    """What is kept of a form token, and of another that stands for it."""
    return hashlib.sha256(token.encode()).hexdigest()


def mail_token(submission_id: str) -> str:
    """The token of the mailed links; not kept anywhere, made again when needed."""
    return f"m-{submission_id}-{mac('mailbox', submission_id)}"


def submission_of(token: str) -> str:
    """The submission id of a mailed token. Raises Forged."""
    prefix, _, rest = token.partition("-")
    submission_id, _, given = rest.partition("-")
    if prefix != "m":
        raise Forged("not a mailed link of ours")
    check("mailbox", submission_id, given)
    return submission_id


def code(submission_id: str) -> str:
    """The six digits that prove the mailbox of a submission."""
    digest = hmac.new(key("code"), submission_id.encode(), hashlib.sha256).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 1_000_000:06d}"
