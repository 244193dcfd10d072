"""Who is the same person: stable, symmetric, and whoever comes first, the same people have written to the same targets."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.dedupe import fingerprint, normal_email
from tests.property.ground import broken, cleared
from tests.property.profile import examples, try_out
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk

KEY = b"k" * 32
MAILBOXES = [["jane@people.example", "JANE@People.example", "jane+bus@people.example", "jane+bus+2@PEOPLE.example"],
             ["jane.doe@gmail.com", "janedoe@gmail.com", "Jane.Doe+x@googlemail.com"], ["doe@people.example"],
             ["ana@bücher.example", "ANA@xn--bcher-kva.example"]]
"""Spellings of one mailbox each."""
ODD = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
PARTS = st.one_of(ODD, st.from_regex(r"[A-Za-z0-9.+_-]{1,12}", fullmatch=True))
DOMAINS = st.one_of(ODD, st.sampled_from(["gmail.com", "GoogleMail.com", "yahoo.com", "pm.me", "bücher.example", "office.example."]))


def normal(text: str) -> str | None:
    try:
        return normal_email(text)
    except ValueError:
        return None


@examples(400)
@given(local=PARTS, domain=DOMAINS)
def test_the_normal_form_is_its_own_normal_form(local: str, domain: str) -> None:
    once = normal(f"{local}@{domain}")
    assert once is None or normal(once) == once


@examples(100)
@given(data=st.data())
def test_two_spellings_are_one_mailbox_whichever_is_asked_first(data: st.DataObject) -> None:
    first, second = (data.draw(st.sampled_from([x for box in MAILBOXES for x in box])) for _ in range(2))
    same = any(first in box and second in box for box in MAILBOXES)
    assert (fingerprint(KEY, first) == fingerprint(KEY, second)) is same
    assert (fingerprint(KEY, second) == fingerprint(KEY, first)) is same
    assert fingerprint(b"x" * 32, first) != fingerprint(KEY, first), "another campaign's key"


SPELLED = st.sampled_from([(i, spelled) for i, box in enumerate(MAILBOXES) for spelled in box])
TO = st.sampled_from([("commissioner",), ("council",), ("commissioner", "council")])
FORMS = st.lists(st.tuples(SPELLED, st.sampled_from(["email", "fax"]), TO), min_size=1, max_size=6)


def any_order(desk: Desk, forms: list[Any], seed: int, confirm: bool) -> None:
    """The same forms in two orders; where mailboxes are proved, the proofs in two orders too."""
    shuffled = list(forms)
    random.Random(seed).shuffle(shuffled)
    asked = {(box, target) for (box, _), channel, targets in forms if channel == "email" or "council" not in targets for target in targets}
    for some in (forms, shuffled):
        assert _written(desk, some, confirm, random.Random(seed)) == asked


def _written(desk: Desk, forms: list[Any], confirm: bool, dice: random.Random) -> set[tuple[int, str]]:
    """Whose letters count, and to whom; each once."""
    slug = cleared(desk)
    desk.set(confirm="email" if confirm else "none", proof_of_work="off")
    desk.campaign(slug, targets=(COMMISSIONER, COUNCIL), inbox="")
    whose, tokens = dict[str, int](), list[str]()
    for (box, spelled), channel, targets in forms:
        if channel == "fax" and "council" in targets:  # it has no fax: the form is refused
            continue
        token = desk.write(slug, email=spelled, channel=channel, targets=targets)
        whose[desk.submission(token).id] = box
        tokens.append(token)
    if confirm:
        assert not any(x.counts for x in desk.letters()), "nobody takes a place before the mailbox is proved"
        dice.shuffle(tokens)
        for token in tokens:
            desk.confirm(token)
    from outreach.services import campaigns

    keys = {t.id: t.key for t in campaigns.targets_of(campaigns.get(slug).id)}
    counted = [(whose[x.submission_id], keys[x.target_id]) for x in desk.letters() if x.counts]
    assert len(counted) == len(set(counted)), "one person, one target, one letter"
    assert {x.state for x in desk.letters() if not x.counts} <= {"cancelled"}
    assert broken() == {}
    return set(counted)


def test_in_every_order_the_same_people_have_written_to_the_same_targets(desk: Desk) -> None:
    try_out(lambda forms, seed, confirm: any_order(desk, forms, seed, confirm), 16 if desk.database.dialect.name == "sqlite" else 4,
            forms=FORMS, seed=st.integers(0, 999), confirm=st.booleans())
