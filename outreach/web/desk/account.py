"""One's own account: beginning it (/o/welcome), and what it has: name, password, second factor, sessions, API tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from outreach.domain.roles import Right
from outreach.errors import Conflict, FormInvalid, NotAllowed, NotFound
from outreach.services import accounts, api_tokens, sessions, terms
from outreach.services.tries import TooManyTries
from outreach.settings import get_settings
from outreach.web.desk import doors
from outreach.web.desk.guard import Place, back, room, see
from outreach.web.forms import first

HOME = "/o/account"
FACTOR = "/o/account/second-factor"
WELCOME_FACTOR = "/o/welcome/second-factor"
EXPIRIES = {"30": "30 days", "90": "90 days", "365": "a year", "": "never"}
RIGHT_WORDS: Mapping[Right, str] = {
    Right.SEE: "figures, states, pace and forecast; nobody’s data", Right.READ: "letters and what supporters wrote of themselves",
    Right.MODERATE: "approve and reject held letters", Right.STEER: "limits, pauses, stop, retries",
    Right.SUBMIT: "pass letters on that supporters wrote on your own site",
    Right.EDIT: "the campaign’s content, and publishing it", Right.EXPORT: "take letters and submissions away as files",
    Right.MANAGE: "members, webhooks, the audit log", Right.OPERATE: "the service as a whole"}


def qr(address: str) -> Markup:
    """An address as a QR code: an SVG of its own colours, since scanners want dark on light by night, too."""
    code = segno.make(address, error="m", micro=False)
    return Markup(code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", lineclass=None))  # noqa: S704


def _after_mistake(e: FormInvalid | TooManyTries, field: str = "password") -> tuple[int, dict[str, str]]:
    return (422, e.errors) if isinstance(e, FormInvalid) else (429, {field: str(e)})


@room("/o/welcome", None)
def welcome(request: Request, at: Place) -> Response:
    """GET /o/welcome: name and password; then the second factor; then the desk."""
    mine = accounts.profile(at.visitor.id)
    if not mine.has_password:
        return see("organizer/welcome.html", at, values=doors.filled(name=mine.name), errors={}, two_steps=_factor_follows())
    return back(at, WELCOME_FACTOR if not mine.has_factor and _factor_follows() else "/o/")


def _factor_follows() -> bool:
    """Whether the second factor is set up right after the password."""
    settings = get_settings()
    return settings.require_totp or settings.demo


@room("/o/welcome", None, method="POST")
def begin(request: Request, at: Place) -> Response:
    """POST /o/welcome: name and password are set."""
    name = first(at.form, "name")
    try:
        opened = accounts.begin(at.visitor, doors.cookie_of(request), name, first(at.form, "password"), first(at.form, "again"), now=at.now)
    except FormInvalid as e:
        return see("organizer/welcome.html", at, status=422, values=doors.filled(name=name[:200]), errors=e.errors,
                   two_steps=_factor_follows())
    except Conflict:
        return back(at, "/o/")
    return doors.let_in(doors.to("/o/welcome"), opened)


def _factor_page(at: Place, path: str, *, status: int = 200, errors: dict[str, str] | None = None) -> Response:
    offer = accounts.offer(at.visitor, first(at.form, "sealed"), now=at.now)
    grouped = " ".join(offer.key[i:i + 4] for i in range(0, len(offer.key), 4))
    replaces = path == FACTOR and accounts.profile(at.visitor.id).has_factor
    return see("organizer/second_factor.html", at, status=status, path=path, key=grouped, address=offer.address, picture=qr(offer.address),
               replaces=replaces, values=doors.filled(sealed=offer.sealed), errors=errors or {},
               later=path == WELCOME_FACTOR and get_settings().demo)


def _take_factor(request: Request, at: Place, path: str) -> Response:
    try:
        opened, codes = accounts.take_offer(at.visitor, doors.cookie_of(request), first(at.form, "sealed"), first(at.form, "code")[:40],
                                            password=first(at.form, "password"), now=at.now)
    except (FormInvalid, TooManyTries) as e:
        status, errors = _after_mistake(e, "code")
        return _factor_page(at, path, status=status, errors=errors)
    except Conflict as e:
        return back(at, HOME, _said(e), bad=True)
    return doors.let_in(see("organizer/codes.html", at, codes=codes, onward="/o/" if path == WELCOME_FACTOR else HOME), opened)


@room(WELCOME_FACTOR, None)
def offer_first_factor(request: Request, at: Place) -> Response:
    """GET: the first second factor."""
    return back(at, "/o/") if accounts.profile(at.visitor.id).has_factor else _factor_page(at, WELCOME_FACTOR)


@room(WELCOME_FACTOR, None, method="POST")
def take_first_factor(request: Request, at: Place) -> Response:
    """POST: its first code; then the recovery codes, once. Another one is changed on the account's page, with the password."""
    return back(at, "/o/") if accounts.profile(at.visitor.id).has_factor else _take_factor(request, at, WELCOME_FACTOR)


@room(FACTOR, None)
def offer_factor(request: Request, at: Place) -> Response:
    """GET: a second factor, or another one."""
    return _factor_page(at, FACTOR)


@room(FACTOR, None, method="POST")
def take_factor(request: Request, at: Place) -> Response:
    """POST: its first code, with the password."""
    return _take_factor(request, at, FACTOR)


def _account(at: Place, *, status: int = 200, open_part: str = "", errors: dict[str, str] | None = None,
             fields: dict[str, str] | None = None, scopes: Sequence[str] = ()) -> Response:
    can = api_tokens.grantable(at.visitor)
    rights = can[0].rights if can else frozenset()
    return see("organizer/account.html", at, status=status, mine=accounts.profile(at.visitor.id), tokens=api_tokens.list_of(at.visitor.id),
               sessions=sessions.list_of(at.visitor.id, now=at.now), grantable=can, rights=[r for r in Right if r in rights],
               right_words=RIGHT_WORDS, expiries=EXPIRIES, terms=terms.VERSION, open_part=open_part,
               values=doors.filled(**({"name": at.visitor.name, "expires": "90"} | (fields or {}))),
               errors=errors or {}, scopes=scopes)


@room(HOME, None)
def account(request: Request, at: Place) -> Response:
    """GET /o/account."""
    return _account(at)


@room(f"{HOME}/name", None, method="POST")
def rename(request: Request, at: Place) -> Response:
    """POST: one's name."""
    try:
        accounts.rename(at.visitor, first(at.form, "name"), now=at.now)
    except FormInvalid as e:
        return _account(at, status=422, errors=e.errors, fields={"name": first(at.form, "name")[:200]})
    return back(at, HOME, "Your name is changed.")


@room(f"{HOME}/password", None, method="POST")
def change_password(request: Request, at: Place) -> Response:
    """POST: another password, for the old one."""
    try:
        opened = accounts.change_password(at.visitor, doors.cookie_of(request), first(at.form, "old"), first(at.form, "password"),
                                          first(at.form, "again"), tokens=first(at.form, "revoke") == "yes", now=at.now)
    except (FormInvalid, TooManyTries) as e:
        status, errors = _after_mistake(e, "old")
        return _account(at, status=status, errors=errors, open_part="password")
    except Conflict as e:
        return back(at, HOME, _said(e), bad=True)
    return doors.let_in(back(at, HOME, "Your password is changed. All your other sessions have ended" + (
        ", and your API tokens are revoked." if first(at.form, "revoke") == "yes" else ".")), opened)


@room(f"{HOME}/codes", None, method="POST")
def renew_codes(request: Request, at: Place) -> Response:
    """POST: ten new recovery codes, shown once."""
    try:
        codes = accounts.renew_codes(at.visitor, first(at.form, "password-for-codes"), now=at.now)
    except (FormInvalid, TooManyTries) as e:
        status, errors = _after_mistake(e)
        return _account(at, status=status, errors={"password-for-codes": next(iter(errors.values()))}, open_part="codes")
    except Conflict as e:
        return back(at, HOME, _said(e), bad=True)
    return see("organizer/codes.html", at, codes=codes, onward=HOME)


@room(f"{HOME}/sessions", None, method="POST")
def end_sessions(request: Request, at: Place) -> Response:
    """POST: end one session, or all others."""
    if first(at.form, "others"):
        n = sessions.end_others(at.visitor.id, at.visitor.session_id)
        return back(at, HOME, f"{n} other session{' has' if n == 1 else 's have'} ended.")
    try:
        sessions.end(at.visitor.id, first(at.form, "end")[:40])
    except NotFound as e:
        return back(at, HOME, _said(e), bad=True)
    return back(at, HOME, "That session has ended.")


@room(f"{HOME}/tokens", None, method="POST")
def make_token(request: Request, at: Place) -> Response:
    """POST: a new API token, shown once."""
    name, campaign, expiry = " ".join(first(at.form, "token-name").split())[:80], first(at.form, "campaign"), first(at.form, "expires")
    given = [s for s in at.form.get("scope", []) if s in set(Right)]
    fields = {"token-name": name, "campaign": campaign, "expires": expiry}
    errors = {} if name else {"token-name": "Name it after the program that will use it."}
    if not given:
        errors["scope"] = "Tick at least one thing that the token may do."
    if expiry not in EXPIRIES or (campaign and not (campaign.isascii() and campaign.isdigit() and len(campaign) < 12)):
        errors["campaign"] = "Choose a campaign and an end from the lists."
    if not errors:
        try:
            token = accounts.make_token(
                at.visitor, first(at.form, "token-password"), name, scopes=frozenset(Right(s) for s in given), now=at.now,
                campaign_id=int(campaign) if campaign else None,
                expires_at=at.now + timedelta(days=int(expiry)) if expiry else None)
            return see("organizer/account_token.html", at, token=token, name=name)
        except NotAllowed as e:
            errors = {"scope": _said(e)}
        except (FormInvalid, TooManyTries) as e:
            status, found = _after_mistake(e)
            return _account(at, status=status, errors={"token-password": next(iter(found.values()))}, fields=fields, scopes=given,
                            open_part="token")
    return _account(at, status=422, errors=errors, fields=fields, scopes=given, open_part="token")


@room(f"{HOME}/tokens/revoke", None, method="POST")
def revoke_token(request: Request, at: Place) -> Response:
    """POST: a token opens nothing from now on."""
    try:
        name = api_tokens.revoke(at.visitor, first(at.form, "token")[:40], now=at.now)
    except NotFound as e:
        return back(at, HOME, _said(e), bad=True)
    return back(at, HOME, f"“{name}” opens nothing any more.")


def _said(e: Exception) -> str:
    text = str(e)
    return f"{text[:1].upper()}{text[1:]}."
