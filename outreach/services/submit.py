"""One send of the form: checked, deduplicated, and stored whole in one transaction; then the lanes are woken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, update

from outreach import tokens
from outreach.db import dialect_insert, new_id, unit_of_work, utcnow
from outreach.domain.campaign import CampaignSpec
from outreach.domain.dedupe import fingerprint, normal_email
from outreach.domain.letters import Channel, Reason, State
from outreach.errors import Conflict, FormInvalid, NotFound
from outreach.group_commit import GroupCommit
from outreach.logs import get
from outreach.models import Letter, Submission, table
from outreach.queries import campaigns as campaign_queries
from outreach.services import campaigns, confirm_rules, forms, lanes, moves, notices, repeats, reviews, same_form, throttle
from outreach.services.campaigns import TargetRow
from outreach.services.forms import FormInput

__all__ = ["FormInput", "new_form_token", "submit"]
log = get()
new_form_token = tokens.new_form_token
_SUBMISSIONS, _LETTERS = table(Submission), table(Letter)


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A checked form and where its letters go."""

    form: FormInput
    spec: CampaignSpec
    campaign: Any
    places: tuple[tuple[TargetRow, int], ...]
    """Target and address id."""
    network: str | None
    confirm: bool
    at: datetime


def submit(slug: str, form: FormInput, *, network: str | None, now: datetime | None = None) -> str:
    """Take one form. Returns the token of its status page: the form's own, or another where that one was used for something else.
    The same form sent again gives the same submission.

    Raises NotFound (no such campaign), Conflict (it takes no letters now), FormInvalid (what to mend, by field).
    """
    now = now or utcnow()
    campaign = campaigns.get(slug)
    if campaign.state == "draft":
        raise NotFound("there is no such campaign")
    try:
        accepted = _check(campaign, form, network, now)
        token, letters = _commit(accepted)
    except (FormInvalid, Conflict) as e:
        _count_refusals(campaign.id, e)
        raise
    if letters:
        log.info("submission.taken", campaign=campaign.id, submission=letters[0]["submission_id"], letters=len(letters))
        lanes.wake([x["address_id"] for x in letters if x["state"] == State.QUEUED.value], now)
    if accepted.confirm:
        notices.ring_soon()
    return token


def _check(campaign: Any, form: FormInput, network: str | None, now: datetime) -> _Accepted:
    spec = campaigns.spec_of_version(campaign.version_id)
    targets = campaigns.targets_of(campaign.id, campaign.revision)
    cleaned, errors = forms.clean(form, spec, now, honest_network=throttle.prefix(network) is not None)
    places: tuple[tuple[TargetRow, int], ...] = ()
    if "channel" not in errors and "targets" not in errors:
        places = _places(cleaned, targets, errors)
    if "email" not in errors and _belongs_to_a_target(cleaned.email, spec, targets):
        errors["email"] = forms.TARGET_ADDRESS
    if errors:
        raise FormInvalid(errors)
    return _Accepted(cleaned, spec, campaign, places, throttle.hash_of(network), confirm_rules.confirms(spec), now)


def _places(form: FormInput, targets: tuple[TargetRow, ...], errors: dict[str, str]) -> tuple[tuple[TargetRow, int], ...]:
    by_key = {t.key: t for t in targets}
    if not form.targets or any(k not in by_key for k in form.targets):
        errors["targets"] = forms.NO_TARGET
        return ()
    places = []
    for key in dict.fromkeys(form.targets):
        usable = by_key[key].places(form.channel)
        if not usable:
            errors["channel"] = forms.NO_FAX if form.channel == Channel.FAX else forms.NO_EMAIL
            return ()
        places.append((by_key[key], usable[0].id))
    return tuple(sorted(places, key=lambda place: place[0].id))  # one order for all: two of one person cannot wait for each other


def _belongs_to_a_target(email: str, spec: CampaignSpec, targets: tuple[TargetRow, ...]) -> bool:
    normal = normal_email(email)
    taken = {normal_email(a.value) for t in targets for a in t.addresses if a.channel == Channel.EMAIL}
    return normal in taken or (bool(spec.inbox) and normal == normal_email(spec.inbox))


def _count_refusals(campaign_id: int, error: FormInvalid | Conflict) -> None:
    """Each refusal has a named reason and is counted."""
    messages = error.errors.values() if isinstance(error, FormInvalid) else [str(error)]
    reasons = {forms.REASONS.get(message, Reason.BAD_INPUT) for message in messages}
    with unit_of_work() as c:
        moves.count(c, ((campaign_id, 0, "", f"refused:{r.value}", 1) for r in reasons))


def _store_all(c: Connection, group: Sequence[_Accepted]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Store each; returns for each its page's token and the letters made. What only counts is written once for all."""
    standings = {i: campaign_queries.standing(c, i) for i in sorted({a.campaign.id for a in group})}
    made = [_store(c, a, standings[a.campaign.id]) for a in group]
    moves.born(c, [letter for _, letters in made if letters for letter in letters])
    moves.count(c, [(a.campaign.id, 0, "", "submissions", 1) for a, (_, letters) in zip(group, made, strict=True) if letters is not None])
    return [(token, letters or []) for token, letters in made]


def _store(c: Connection, a: _Accepted, row: Any) -> tuple[str, list[dict[str, Any]] | None]:
    """Write the submission, its letters and its confirmation notice; without letters when this form was taken before."""
    now = a.at
    if row.state != "live" or row.fingerprint_key is None:
        raise Conflict(forms.PAUSED if row.state == "paused" else forms.CLOSED)
    if row.deadline is not None and row.deadline <= now:
        raise Conflict(forms.LATE)
    person = fingerprint(row.fingerprint_key, a.form.email)
    submission = _submission(a, person, now)
    token, new = a.form.token, _insert(c, submission)
    if new is None and not same_form.was_sent(c, a.form, submission):
        token = same_form.other_token(a.form, a.campaign.id)
        new = _insert(c, submission | {"form_hash": tokens.form_hash(token)})
    if new is None:
        return token, None
    throttle.spend(c, a.network, a.form, now)
    found = None if a.confirm else reviews.judge(c, a.campaign, submission, now)
    letters = [_letter(a, submission, place, State.HELD if found and found.held else State.QUEUED, now) for place in a.places]
    if a.confirm:
        c.execute(insert(_LETTERS), letters)
        notices.add(c, "confirm", new, recipient=a.form.email, campaign_id=a.campaign.id, submission_id=new, now=now)
    else:
        letters = _claim(c, letters)
        if found and letters:
            reviews.write_down(c, found, new, a.campaign.id, now)
        if len(letters) < len(a.places):
            _note_repeat(c, a, submission, letters, now)
    return token, letters


_commit = GroupCommit(_store_all)


def _insert(c: Connection, submission: dict[str, Any]) -> Any:
    """The submission's id; None when its form's token is taken."""
    return c.execute(dialect_insert(c, _SUBMISSIONS).values(submission).on_conflict_do_nothing(index_elements=["form_hash"])
                     .returning(_SUBMISSIONS.c.id)).scalar()


def _claim(c: Connection, letters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Insert the letters whose person has no letter to that target yet: one person, one target, one letter."""
    made = set(c.execute(dialect_insert(c, _LETTERS).on_conflict_do_nothing().returning(_LETTERS.c.id), letters).scalars())
    return [x for x in letters if x["id"] in made]


def _note_repeat(c: Connection, a: _Accepted, submission: dict[str, Any], made: list[dict[str, Any]], now: datetime) -> None:
    """A repeat is told apart by nobody: see docs/decisions/0005 for what its page shows and until when."""
    moves.count(c, [(a.campaign.id, 0, "", f"refused:{Reason.DUPLICATE.value}", len(a.places) - len(made))])
    repeats.note(c, submission, {address for _, address in a.places} - {x["address_id"] for x in made}, now)
    if not made:
        c.execute(update(_SUBMISSIONS).where(_SUBMISSIONS.c.id == submission["id"]).values(state="duplicate"))
        repeats.tell(c, submission["id"], now)


def _submission(a: _Accepted, person: str, now: datetime) -> dict[str, Any]:
    f = a.form
    subject, body = forms.own_words(f, a.spec)
    return {
        "id": new_id(now.timestamp()), "campaign_id": a.campaign.id, "version_id": a.campaign.version_id,
        "form_hash": tokens.form_hash(f.token), "state": "unconfirmed" if a.confirm else "accepted", "fingerprint": person,
        "channel": f.channel, "asked": [t.id for t, _ in a.places],
        "language": f.language, "name": f.name, "email": f.email, "street": f.street, "city": f.city,
        "postal_code": f.postal_code, "phone": f.phone, "affiliation": f.affiliation,
        "subject": subject, "body": body,
        "consent_version": forms.CONSENT_VERSION, "updates": f.updates, "public_name": f.public_name, "network": a.network,
        "created_at": now}


def _letter(a: _Accepted, submission: dict[str, Any], place: tuple[TargetRow, int], goes_to: State, now: datetime) -> dict[str, Any]:
    target, address_id = place
    state = State.UNCONFIRMED if a.confirm else goes_to
    return {"id": new_id(now.timestamp()), "campaign_id": a.campaign.id, "submission_id": submission["id"], "target_id": target.id,
            "address_id": address_id, "channel": a.form.channel, "state": state.value, "state_at": now,
            "fingerprint": submission["fingerprint"], "counts": not a.confirm, "submitted_at": now, "created_at": now}
