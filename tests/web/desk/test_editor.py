"""The editor of drafts: what is typed stays, mistakes stand beside their fields, nobody overwrites anybody unseen."""

from __future__ import annotations

import pytest

from outreach.campaign_file import keys
from outreach.domain.roles import Role
from outreach.models import Draft, Organizer
from outreach.services import campaigns, terms
from outreach.web.desk.editor_fields import every_field
from tests.web.desk.conftest import DeskSite
from tests.web.desk.drafting import TEN, Fields, began, form, on_one, person, saved


@on_one
def test_mistakes_stand_beside_their_fields_and_what_was_typed_stays(desk_site: DeskSite) -> None:
    client = person(desk_site)
    base = began(client)
    wrong = {"target[1].email": "board at schools", "letter.body": "{{ nobody.name }}"}
    fields = form(client, f"{base}?part=start", "/save", **TEN | wrong)
    page = client.post(f"{base}/save", data=fields)
    assert page.status_code == 422
    assert 'id="f-target-1-email-error"' in page.text and 'id="f-letter-body-error"' in page.text and "board at schools" in page.text
    kept = form(client, f"{base}?part=start", "/save")
    assert kept["target[1].email"] == "board at schools" and kept["letter.body"] == "{{ nobody.name }}"


@on_one
@pytest.mark.parametrize(("typed", "said"), [
    ({"deadline.zone": "Toronto"}, "“Toronto” is no time zone"), ({"deadline.zone": ""}, "choose the time zone"),
    ({"deadline.date": "24 Jan 2031"}, "“24 Jan 2031” is no day"), ({"deadline.time": "late"}, "“late” is no time of day")])
def test_a_deadline_that_is_none_stays_as_it_was_typed_until_it_is_mended(desk_site: DeskSite, typed: dict[str, str], said: str) -> None:
    client = person(desk_site)
    base = began(client)
    for _ in range(2):  # the second save posts what the first one showed
        fields = form(client, f"{base}?part=start", "/save", **TEN | typed)
        page = client.post(f"{base}/save", data=fields)
        assert page.status_code == 422 and said.lower() in page.text.lower()
        kept = form(client, f"{base}?part=start", "/save")
        assert {k: kept[k] for k in TEN if k.startswith("deadline")} == {k: v for k, v in (TEN | typed).items() if k.startswith("deadline")}
    saved(client, base, "start", **{k: TEN[k] for k in typed})
    (draft,) = desk_site.desk.rows(Draft)
    assert draft.content["deadline"] == "2031-01-24T17:00:00-05:00"


@on_one
def test_what_is_missing_is_said_in_the_editors_words(desk_site: DeskSite) -> None:
    client = person(desk_site)
    page = client.get(f"{began(client)}/check").text
    assert "Title: still to be filled in" in page and "Who decides: still to be filled in" in page
    assert "in quotes" not in page and "Fill in what is missing" in page
    once = began(client, "circular", text="Fax the office: 416 555 0133")
    found = client.get(f"{once}?part=circular").text
    assert "?." not in found


@on_one
def test_a_target_is_never_read_in_utc_unsaid(desk_site: DeskSite) -> None:
    client = person(desk_site)
    base = began(client)
    saved(client, base, "start", **TEN | {"target[1].fax": "+1 250 555 0142"})
    assert form(client, f"{base}/target/1", "/save")["target[1].timezone"] == "America/Vancouver"
    other = began(client)
    saved(client, other, "start", **TEN)
    kept = form(client, f"{other}?part=start", "/save")
    assert (kept["deadline.time"], kept["deadline.zone"]) == ("17:00", "America/Toronto")
    assert form(client, f"{other}/target/1", "/save")["target[1].timezone"] == "America/Toronto"


@on_one
def test_the_name_in_the_address_follows_the_title_until_it_is_typed(desk_site: DeskSite) -> None:
    client = person(desk_site)
    base = began(client)
    saved(client, base, "start", title="Fwd list")
    saved(client, base, "start", title="Keep the ferry")
    assert form(client, f"{base}?part=what", "/save")["slug"] == "keep-the-ferry"
    saved(client, base, "what", slug="ferry")
    saved(client, base, "what", title="Keep our ferry")
    assert form(client, f"{base}?part=what", "/save")["slug"] == "ferry"
    assert "/c/ferry" in client.get(f"{base}/check").text


def test_of_two_writers_the_second_is_told(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    ana, ben = desk_site.signed_in(Role.OWNER), desk_site.signed_in(Role.ORGANIZER)
    edit = "/o/c/night-bus/edit"
    mine, theirs = form(ana, f"{edit}?part=page", "/save"), form(ben, f"{edit}?part=letter", "/save")
    assert ana.post(f"{edit}/save", data=mine | {"story": "Ana's"}).status_code == 303
    answer = ben.post(f"{edit}/save", data=theirs | {"letter.subject": "Ben's"})
    assert answer.status_code == 409 and "Ben&#39;s" in answer.text and "saved this draft" in answer.text
    again = Fields("/save")
    again.feed(answer.text)
    assert ben.post(f"{edit}/save", data=again.fields).status_code == 303
    (draft,) = desk_site.desk.rows(Draft)
    assert (draft.content["story"], draft.content["letter"]["subject"]) == ("Ana's", "Ben's")


@on_one
def test_a_draft_is_its_writers_own(desk_site: DeskSite) -> None:
    base = began(person(desk_site))
    other = person(desk_site, email="eve@people.example")
    for path in ("", "/check", "/preview", "/export.toml", "/target/1"):
        assert other.get(base + path).status_code == 404
    for path in ("/save", "/publish", "/discard", "/targets", "/file", "/tick"):
        assert other.post(base + path, data={}).status_code == 404


@on_one
def test_nothing_begins_before_the_terms_are_accepted(desk_site: DeskSite) -> None:
    client = desk_site.signed_in(None, email="new@people.example")
    assert client.post("/o/new", data={"from": "nothing"}).status_code == 403


@on_one
def test_a_file_and_the_form_are_the_same_draft(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    client = desk_site.signed_in(Role.OWNER)
    edit = "/o/c/night-bus/edit"
    fields = form(client, f"{edit}?part=file", "/file")
    assert fields["text"].strip() == campaigns.export("night-bus").strip()
    for wanted, text in ((422, "slug = "), (422, fields["text"].replace('slug = "night-bus"', 'slug = "other"')),
                         (303, fields["text"].replace("City Council", "Town Council"))):
        assert client.post(f"{edit}/file", data=fields | {"text": text}).status_code == wanted
    assert form(client, f"{edit}/target/2", "/save")["target[2].name"] == "Town Council"


@on_one
@pytest.mark.parametrize("text", [
    "title = 5\nlanguages = 3\nletter = [1]\ntarget = [{ email = 5, fax = { a = 1 }, name = [1], timezone = 3, limits = 4 }]\nfr = 3",
    "target = 3\nslug = []\ndeadline = 2027-01-01\ncall = 1\nfields = 'x'\nendorsers = 'y'\nde = { letter = { subject = 1 } }",
    "target = [3, 'x']\ndeadline = 'soon'\ngoal = 'many'\n[letter]\nsubject = { a = 1 }", ""])
def test_a_file_of_the_wrong_kinds_can_be_looked_at_and_mended(desk_site: DeskSite, text: str) -> None:
    client = person(desk_site)
    base = began(client, "file", text=text)
    for part in ("start", "what", "who", "letter", "page", "form", "copies", "rules", "file"):
        assert client.get(f"{base}?part={part}").status_code == 200, part
        if part not in ("who", "file"):
            assert client.post(f"{base}/save", data=form(client, f"{base}?part={part}", "/save")).status_code in (303, 422), part
    for path in ("/check", "/preview", "/export.toml"):
        assert client.get(base + path).status_code == 200, path
    fields = form(client, f"{base}?part=start", "/save", **TEN)
    assert client.post(f"{base}/save", data=fields).status_code in (303, 422)
    assert form(client, f"{base}?part=start", "/save")["letter.subject"] == TEN["letter.subject"]


def test_every_key_of_the_file_has_a_field() -> None:
    fields = {(f.where, f.key) for f in every_field({"languages": ["en", "fr"]})}
    tables = {"letter", "call", "fields", "target", "limits", "share"}
    wanted = {(where, key.name) for where, rows in keys.KEYS.items() if where != keys.LANGUAGE for key in rows}
    assert {(w, k) for w, k in wanted if k not in tables | {"story_file"}} <= fields
    assert any(f.path[0] == "fr" for f in every_field({"languages": ["en", "fr"]}))


@on_one
def test_targets_are_added_moved_and_taken_away(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    client = desk_site.signed_in(Role.OWNER)
    edit = "/o/c/night-bus/edit"

    def do(what: str, n: str = "") -> str:
        answer = client.post(f"{edit}/targets", data=form(client, f"{edit}?part=who", "/targets") | {"do": what, "n": n})
        assert answer.status_code == 303
        return str(answer.headers["location"])

    assert do("add") == f"{edit}/target/3"
    saved(client, f"{edit}/target/3", "target/3", **{"target[3].name": "Mayor", "target[3].fax": "416 555 0142\n416 555 0143"})
    do("up", "3")
    do("remove", "1")
    (draft,) = desk_site.desk.rows(Draft)
    assert [t["name"] for t in draft.content["target"]] == ["Mayor", "City Council"]
    assert draft.content["target"][0]["fax"] == ["416 555 0142", "416 555 0143"]


@on_one
def test_a_copy_is_a_draft_of_its_own(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    client = desk_site.signed_in(Role.OWNER)
    desk_site.desk.change(Organizer, accepted_terms=terms.VERSION)
    base = client.post("/o/c/night-bus/duplicate").headers["location"]
    assert base.startswith("/o/drafts/")
    assert form(client, f"{base}?part=what", "/save")["slug"] == "night-bus-2"
    stranger = person(desk_site, email="eve@people.example")
    assert stranger.post("/o/new", data={"from": "copy", "slug": "night-bus"}).status_code == 422


@on_one
def test_the_preview_shows_the_letter_without_what_is_optional(desk_site: DeskSite) -> None:
    client = person(desk_site)
    base = began(client)
    saved(client, base, "start", **TEN | {"letter.body": "{% if supporter.city %}I am of {{ supporter.city }}.{% endif %}\n\nKeep it."})
    full, bare = client.get(f"{base}/preview").text.split("leaves empty what may be left empty")
    assert "I am of Toronto." in full and "Keep it." in bare and "I am of" not in bare


@on_one
def test_the_preview_shows_page_mail_and_fax_and_sends_nothing(desk_site: DeskSite) -> None:
    desk_site.desk.campaign()
    client = desk_site.signed_in(Role.OWNER)
    page = client.get("/o/c/night-bus/edit/preview").text
    assert "data:image/png;base64," in page and "please keep the bus" in page
    supporters = client.get("/o/c/night-bus/edit/preview/page").text
    assert 'action="/c/' not in supporters and "/o/c/night-bus/edit/preview/nowhere" in supporters
    assert client.post("/o/c/night-bus/edit/preview/nowhere", data={}).status_code == 200
    assert not desk_site.desk.letters()
