"""Campaign files: every mistake is told at once with its line, and a campaign survives being written and read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach.campaign_files import KEYS, read_campaign, read_text, spec_digest, spec_from_json, spec_to_json, write_campaign
from outreach.domain.campaign import CampaignSpec, LetterText, TargetSpec
from outreach.errors import CampaignFileInvalid
from outreach.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MINIMAL = '''slug = "keep-the-night-bus"
title = "Keep the night bus"
[letter]
subject = "Keep the bus"
body = "Dear {{ target.salutation }}, please. {{ supporter.name }}"
[[target]]
name = "Transit Commissioner"
email = ["commissioner@transit.example"]
'''


def service(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def read(text: str, **values: Any) -> CampaignSpec:
    return read_text(text, service(**values), NOW)[0]


def warnings(text: str, **values: Any) -> str:
    return "\n".join(read_text(text, service(**values), NOW)[1])


def mistakes(text: str, **values: Any) -> list[str]:
    with pytest.raises(CampaignFileInvalid) as caught:
        read(text, **values)
    return [str(m) for m in caught.value.mistakes]


def the_mistake(text: str, **values: Any) -> str:
    found = mistakes(text, **values)
    assert len(found) == 1, found
    return found[0]


def top(line: str, text: str = MINIMAL) -> str:
    """The minimal campaign with one more line at its top, which is then line 1."""
    return f"{line}\n{text}"


def target(line: str) -> str:
    """The minimal campaign with one more line in its target, which is then line 9."""
    return f"{MINIMAL}{line}\n"


# --- what is read

def test_the_least_campaign_needs_five_keys() -> None:
    spec = read(MINIMAL)
    assert (spec.slug, spec.title, spec.languages, spec.editable) == ("keep-the-night-bus", "Keep the night bus", ("en",), False)
    assert spec.targets == (TargetSpec("transit-commissioner", "Transit Commissioner", email=("commissioner@transit.example",)),)
    assert spec.fields == {"street": "off", "city": "optional", "postal_code": "optional", "phone": "off"}


def test_every_key_of_the_design_is_read() -> None:
    spec = read('''
slug = "night-bus"
title = "Night bus"
summary = "s"
story = """
# Why
Because."""
deadline = 2027-01-22T17:00:00-05:00
inbox = "Copies@NightBus.example"
languages = ["en", "fr"]
country = "ca"
reference = "TC-4457"
goal = 5000
endorsers = ["Riders' Union"]
confirm = "email"
contact = "Night Bus Riders"
fields = { street = "required", phone = "optional" }
accent = "#8A1C1C"
attach_pdf = true
on_unknown = "resend"
[letter]
subject = "File {{ campaign.reference }}"
body = "{% if supporter.affiliation %}on behalf of {{ supporter.affiliation }} {% endif %}please"
editable = true
[fr.letter]
subject = "Dossier"
body = "s'il vous plaît"
[call]
script = "Hello, {{ supporter.name }}"
[[target]]
id = "commissioner"
kind = "representative"
source_url = "https://transit.example/contact"
name = "Commissioner"
salutation = "Commissioner Wu"
role = "Head"
organization = "Transit"
language = "fr"
timezone = "America/Toronto"
hours = "Mon-Fri 08:00-18:00"
postal_address = "1 Road\\nTown"
email = ["a@transit.example", "B@transit.example"]
fax = ["416 555 0133", "+1 (416) 555-0134"]
phone = ["+44 20 7946 0123"]
limits = { email = "200/day, 20/hour", fax = "6/hour" }
''')
    assert spec == CampaignSpec(
        slug="night-bus", title="Night bus", summary="s", story="# Why\nBecause.", letter=LetterText(
            "File {{ campaign.reference }}", "{% if supporter.affiliation %}on behalf of {{ supporter.affiliation }} {% endif %}please"),
        editable=True, deadline=datetime(2027, 1, 22, 22, tzinfo=UTC), inbox="copies@nightbus.example", languages=("en", "fr"),
        country="CA", reference="TC-4457", goal=5000, endorsers=("Riders' Union",), confirm="email", contact="Night Bus Riders",
        fields={"street": "required", "city": "optional", "postal_code": "optional", "phone": "optional"}, accent="#8a1c1c",
        attach_pdf=True, on_unknown="resend", translations={"fr": LetterText("Dossier", "s'il vous plaît")},
        call_script="Hello, {{ supporter.name }}",
        targets=(TargetSpec(
            "commissioner", "Commissioner", "Commissioner Wu", "Head", "Transit", "representative", "https://transit.example/contact",
            "fr", "America/Toronto", "Mon-Fri 08:00-18:00", "1 Road\nTown", ("a@transit.example", "b@transit.example"),
            ("+14165550133", "+14165550134"), ("+442079460123",), {"email": "20/hour, 200/day", "fax": "6/hour"}),))


def test_targets_without_an_id_get_a_stable_and_unique_one() -> None:
    more = '[[target]]\nname = "{}"\nemail = ["{}@x.example"]\n'
    spec = read(MINIMAL + more.format("Ministère de l'Eau", "a") + more.format("Ministere de l eau", "b") + more.format("وزارت", "c"))
    ids = [t.id for t in spec.targets]
    assert ids[:3] == ["transit-commissioner", "ministere-de-l-eau", "ministere-de-l-eau-2"]
    assert re.fullmatch(r"target-[0-9a-f]{8}", ids[3])
    assert ids == [t.id for t in read(write_campaign(spec)).targets]


def test_a_relative_deadline_is_counted_from_the_import_in_its_own_zone() -> None:
    assert read(top('deadline = "+8 days 17:00 America/Toronto"')).deadline == datetime(2026, 11, 30, 22, 0, tzinfo=UTC)
    late = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)  # still the 22nd in Toronto
    spec, _ = read_text(top('deadline = "+1 day 09:00 America/Toronto"'), service(), late)
    assert spec.deadline == datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes(b"\xef\xbb\xbf" + top('story = """a\nb"""').replace("\n", "\r\n").encode())
    assert read_campaign(file, service(), NOW)[0] == read(top('story = """a\nb"""'))


# --- mistakes, each with its line

@pytest.mark.parametrize(("line", "expected"), [
    ('titel = "x"', "titel: no such key; did you mean 'title'?"),
    ('deadline = 2026-11-22T11:59:00Z', "deadline: passed on 2026-11-22 11:59+00:00"),
    ('deadline = 2027-01-22T17:00:00', "deadline: has no offset from UTC"),
    ('deadline = 2027-01-22', "deadline: has no time of day"),
    ('deadline = 2927-01-22T17:00:00Z', "deadline: is more than 20 years ahead"),
    ('deadline = 9999-12-31T23:59:59-12:00', "deadline: is more than 20 years ahead"),
    ('deadline = 0001-01-01T00:00:00+12:00', "deadline: passed on 0001"),
    ('deadline = "next Friday"', "deadline: must be a date and time without quotes"),
    ('deadline = "+8 days 17:00 Mars/Base"', "deadline: 'Mars/Base' is not a time zone"),
    ('deadline = "+8 days 27:00 UTC"', "deadline: '27:00' is not a time of day"),
    ('deadline = "+9999 days 17:00 UTC"', "deadline: is more than 20 years ahead"),
    ('inbox = "copies"', "inbox: 'copies' is not an e-mail address"),
    ('languages = ["en", "xx"]', "languages[2]: 'xx' is not a language tag"),
    ('languages = ["en", "en"]', "languages[2]: 'en' is here twice"),
    ('languages = []', "languages: is empty"),
    ('languages = "en"', "languages: must be a list of texts"),
    ('country = "ZZ"', "country: 'ZZ' is not a country"),
    ('goal = "many"', "goal: must be a whole number (without quotes), not text"),
    ('goal = true', "goal: must be a whole number (without quotes), not true or false"),
    ('goal = -1', "goal: must be from 0 to"),
    ('confirm = "sms"', "confirm: 'sms' is not possible; write one of email, none"),
    ('on_unknown = "resent"', "on_unknown: 'resent' is not possible; did you mean 'resend'?"),
    ('attach_pdf = "yes"', "attach_pdf: must be true or false (without quotes), not text"),
    ('accent = "red"', "accent: 'red' is not a colour"),
    ('fields = { street = "maybe" }', "fields.street: 'maybe' is not possible"),
    ('fields = { age = "off" }', "fields.age: no such key; there are street, city, postal_code, phone"),
    ('contact = "a\\nb"', "contact: must be one line"),
    ('contact = "a\\u0007b"', "contact: has the control character U+0007"),
    ('summary = "' + "x" * 601 + '"', "summary: has 601 characters; at most 600"),
    ('petition = { x = 1 }', "petition: is not supported yet"),
    ('story_file = "story.md"', "story_file: can only be used in a file on disk"),
    ('fr = { letter = { subject = "a", body = "b" } }', "fr: 'fr' is not among the campaign's languages"),
    ('en = { letter = { subject = "a", body = "b" } }', "en: 'en' is the campaign's first language"),
    ('call = { script = "{{ supporter.nme }}" }', "call.script: "),
])
def test_a_mistake_at_the_top_names_its_line_and_what_to_write(line: str, expected: str) -> None:
    assert the_mistake(top(line)).startswith(f"campaign.toml:1: {expected}")


@pytest.mark.parametrize(("line", "expected"), [
    ('fax = ["+1 416 555 01"]', "target[1].fax[1]: '+1 416 555 01' is not a number in the numbering plan of US"),
    ('fax = ["416 555 0133"]', "target[1].fax[1]: '416 555 0133' has no country"),
    ('fax = ["+1 900 555 0199"]', "target[1].fax[1]: '+1 900 555 0199' is a premium-rate number"),
    ('fax = ["+44 70 1234 5678"]', "target[1].fax[1]: '+44 70 1234 5678' is a personal"),
    ('fax = ["+1 876 555 0133"]', "target[1].fax[1]: '+1 876 555 0133' is a number in JM, where this service does not send"),
    ('fax = ["+800 1234 5678"]', "target[1].fax[1]: '+800 1234 5678' belongs to no country"),
    ('fax = ["+1 416 555 0133 ext 4"]', "target[1].fax[1]: '+1 416 555 0133 ext 4' has an extension"),
    ('fax = ["fax us"]', "target[1].fax[1]: 'fax us'"),
    ('fax = ["+14165550133", "+1 416 555 0133"]', "target[1].fax[2]: +14165550133 is here twice"),
    ('fax = [14165550133]', "target[1].fax[1]: must be text in quotes, not a number"),
    ('fax = "+14165550133"', "target[1].fax: must be a list of texts"),
    ('phone = ["+1 900 555 0199"]', "target[1].phone[1]: '+1 900 555 0199' is a premium-rate number"),
    ('e-mail = ["x@y.example"]', "target[1].e-mail: no such key; did you mean 'email'?"),
    ('id = "The Boss"', "target[1].id: 'The Boss' is not possible; use lower-case letters, digits and single hyphens, like 'the-boss'"),
    ('kind = "private"', "target[1].kind: the operator of this service does not allow"),
    ('kind = "person"', "target[1].kind: 'person' is not possible"),
    ('source_url = "javascript:alert(1)"', "target[1].source_url: 'javascript:alert(1)' is not a web address"),
    ('source_url = "http://[::1"', "target[1].source_url: 'http://[::1' is not a web address"),
    ('language = "french"', "target[1].language: 'french' is not a language tag"),
    ('timezone = "Toronto"', "target[1].timezone: 'Toronto' is not a time zone"),
    ('timezone = "../../etc/passwd"', "target[1].timezone: '../../etc/passwd' is not a time zone"),
    ('hours = "Mon-Fri 9-5"', "target[1].hours: 'Mon-Fri 9-5' is not understood"),
    ('hours = "Mon-Fri 08:00-18:00, Someday 09:00-10:00"', "target[1].hours: 'Someday 09:00-10:00' is not understood"),
    ('limits = { email = "20/hour, lots/day" }', "target[1].limits.email: 'lots/day' is not a limit"),
    ('limits = { email = "20/hour 200/day" }', "target[1].limits.email: '20/hour 200/day' is not a limit"),
    ('limits = { email = "0/hour" }', "target[1].limits.email: '0/hour' would let nothing through"),
    ('limits = { phone = "1/hour" }', "target[1].limits.phone: no such key; there are email, fax"),
    ('limits = "20/hour"', "target[1].limits: must be a table"),
    ('subject = "x"', "target[1].subject: no such key here; it belongs in [letter]"),
    ('languages = ["en"]', "target[1].languages: no such key"),
])
def test_a_mistake_in_a_target_names_its_line_and_what_to_write(line: str, expected: str) -> None:
    assert the_mistake(target(line)).startswith(f"campaign.toml:9: {expected}")


def test_the_inbox_cannot_be_a_targets_address() -> None:
    assert "is the campaign's inbox" in the_mistake(top('inbox = "Commissioner@transit.example"'))


def test_ids_must_differ() -> None:
    text = target('id = "boss"') + '[[target]]\nid = "boss"\nname = "B"\nphone = ["+14165550100"]\n'
    assert the_mistake(text) == "campaign.toml:11: target[2].id: 'boss' is already the id of target 1; each needs its own"


@pytest.mark.parametrize(("addresses", "expected"), [
    ("", "campaign.toml:6: target[1]: has no address"), ("email = []", "campaign.toml:6: target[1]: has no address"),
    ('phone = ["+14165550100"]', "campaign.toml:6: target: no target has an e-mail address or a fax number")])
def test_a_campaign_that_can_reach_nobody_is_refused(addresses: str, expected: str) -> None:
    assert the_mistake(MINIMAL.replace('email = ["commissioner@transit.example"]', addresses)).startswith(expected)


@pytest.mark.parametrize("missing", ["slug", "title", "subject", "body", "name"])
def test_what_must_be_there_is_asked_for(missing: str) -> None:
    found = mistakes(re.sub(rf"^{missing} = .*\n", "", MINIMAL, flags=re.M))
    assert any(f"{missing}: is missing" in m for m in found), found


@pytest.mark.parametrize(("template", "word"), [
    ("{{ supporter.nme }}", "nme"), ("{{ nobody.name }}", "nobody"), ("{% if supporter.name %}", ""), ("{{ supporter.name", "")])
def test_a_template_that_would_not_render_is_a_mistake_in_its_line(template: str, word: str) -> None:
    found = the_mistake(MINIMAL.replace('subject = "Keep the bus"', f"subject = '{template}'"))
    assert found.startswith("campaign.toml:4: letter.subject: ")
    assert word in found


@pytest.mark.parametrize(("text", "expected"), [
    ('slug = "a"\ntitle = oops\n', "campaign.toml:2: is not TOML: "),
    ('slug = "a"\nslug = "b"\n', "campaign.toml:2: is not TOML: "),
    ('role = "a"; organization = "b"\n', "no semicolons"),
    ('slug = "a\n', "campaign.toml:1: is not TOML: "),
    ('x = 2027-02-30T00:00:00Z\n', "is not TOML: "),
    ("x = " + "9" * 5000 + "\n", "is not TOML: "),
    ("x = " + "[" * 5000 + "]" * 5000 + "\n", "is nested too deeply"),
    ('[letter\n', "campaign.toml:1: is not TOML: "),
])
def test_text_that_is_not_toml_is_told_with_its_line(text: str, expected: str) -> None:
    assert expected in the_mistake(text)


def test_all_mistakes_are_told_at_once_in_the_files_order() -> None:
    found = mistakes('slug = "A B"\ngoal = "x"\n[letter]\nsubject = ""\nbodi = "x"\n[[target]]\nname = "x"\nfax = ["1"]\n[[target]]\n')
    assert [tuple(m.split(": ")[:2]) for m in found] == [
        ("campaign.toml", "title"), ("campaign.toml:1", "slug"), ("campaign.toml:2", "goal"), ("campaign.toml:3", "letter.body"),
        ("campaign.toml:4", "letter.subject"), ("campaign.toml:5", "letter.bodi"), ("campaign.toml:8", "target[1].fax[1]"),
        ("campaign.toml:9", "target[2]"), ("campaign.toml:9", "target[2].name")]


@pytest.mark.parametrize("text", [
    "target = 5\n", 'target = [1]\n', "letter = []\n", "target = []\n", "fields = 1\n", "call = 1\n", "fr = 1\n", '"" = 1\n', "x.y.z = 1\n",
    '"a\\nb" = 1\n', "[target]\nname = 'x'\n", "slug = 1.5\n", "slug = 12:00:00\n", "endorsers = [[1]]\n", "inbox = {}\n"])
def test_no_shape_of_values_breaks_the_reader(text: str) -> None:
    assert mistakes(text)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(
    st.sampled_from([*(k.name for rows in KEYS.values() for k in rows), "fr"]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.datetimes(),
                 lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3), max_leaves=6), max_size=8))
def test_any_toml_gives_a_campaign_or_mistakes_never_a_crash(values: dict[str, Any]) -> None:
    import tomli_w

    def clean(x: Any) -> Any:
        if isinstance(x, dict):
            return {k: clean(v) for k, v in x.items() if v is not None}
        return [clean(v) for v in x if v is not None] if isinstance(x, list) else x

    assert mistakes(tomli_w.dumps(clean(values)))


# --- files and folders

def folder(tmp_path: Path, story_file: str) -> Path:
    made = tmp_path / "bus"
    made.mkdir()
    (made / "campaign.toml").write_text(top(f"story_file = {story_file!r}"))
    (made / "story.md").write_text("# Why\r\n\r\nBecause.\r\n")
    (tmp_path / "secret.md").write_text("secret")
    return made


def test_a_folder_brings_its_story_in_a_file(tmp_path: Path) -> None:
    made = folder(tmp_path, "story.md")
    assert read_campaign(made, service(), NOW)[0].story == "# Why\n\nBecause."
    assert read_campaign(made / "campaign.toml", service(), NOW)[0].story == "# Why\n\nBecause."


@pytest.mark.parametrize("name", ["../secret.md", "/etc/passwd", "a/../../secret.md", "..\\secret.md", "link.md", "linked/secret.md",
                                  "fifo", "missing.md", ".", "large.md", "latin1.md", "sub"])
def test_a_story_file_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    import os

    made = folder(tmp_path, name)
    (made / "link.md").symlink_to(tmp_path / "secret.md")
    (made / "linked").symlink_to(tmp_path)
    (made / "sub").mkdir()
    os.mkfifo(made / "fifo")
    (made / "large.md").write_text("x" * 300_000)
    (made / "latin1.md").write_bytes(b"caf\xe9")
    with pytest.raises(CampaignFileInvalid) as caught:
        read_campaign(made, service(), NOW)
    assert [m.line for m in caught.value.mistakes] == [1]
    assert "secret" not in str(caught.value).replace("secret.md", "")


def test_story_and_story_file_together_are_one_too_many(tmp_path: Path) -> None:
    made = folder(tmp_path, "story.md")
    (made / "campaign.toml").write_text('story = "x"\n' + (made / "campaign.toml").read_text())
    with pytest.raises(CampaignFileInvalid, match="keep one of them"):
        read_campaign(made, service(), NOW)


def test_a_path_without_a_campaign_says_so(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "this folder has no campaign.toml"), (tmp_path / "nothing", "no such file or folder")):
        with pytest.raises(CampaignFileInvalid, match=why):
            read_campaign(path, service(), NOW)
    (tmp_path / "campaign.toml").write_bytes(b"slug = 'a'\n# caf\xe9\n")
    with pytest.raises(CampaignFileInvalid, match=r"campaign\.toml:2: is not UTF-8"):
        read_campaign(tmp_path, service(), NOW)
    (tmp_path / "campaign.toml").write_bytes(b"#" * 2_000_000)
    with pytest.raises(CampaignFileInvalid, match="is larger than"):
        read_campaign(tmp_path, service(), NOW)


# --- the operator's rules

def test_the_operators_countries_and_kinds_decide() -> None:
    jamaica = target('fax = ["+1 876 555 0133"]')
    assert read(jamaica, allowed_countries="JM").targets[0].fax == ("+18765550133",)
    assert read(target('kind = "private"'), allowed_kinds="private").targets[0].kind == "private"


# --- warnings

@pytest.mark.parametrize(("text", "expected"), [
    (MINIMAL, "inbox: is missing"),
    (MINIMAL, "deadline: is missing"),
    (MINIMAL, "campaign.toml:6: target[1].source_url: is missing"),
    (MINIMAL.replace("transit.example", "gmail.com"), "campaign.toml:8: target[1].email[1]: commissioner@gmail.com is a mailbox that"),
    (target('fax = ["+44 7400 123456"]'), "campaign.toml:9: target[1].fax[1]: +447400123456 is a mobile number"),
    (target('hours = "08:00-18:00"'), "timezone: is missing"),
    (target('limits = { fax = "1/hour" }'), "limits.fax: is for nothing"),
    (top('languages = ["en", "fr"]'), "there is no [fr.letter]"),
    (target('language = "fr"'), "there is no [fr.letter]"),
    (top('accent = "#ffee88"'), "has a contrast of 1."),
    (top('confirm = "none"'), "a campaign can ask more, never less"),
    (MINIMAL + '[[target]]\nname = "B"\nemail = ["commissioner@transit.example"]\n', "is Transit Commissioner's too"),
    (MINIMAL + '[[target]]\nname = "B"\nphone = ["+14165550100"]\n', "B has only a telephone number"),
    (top("goal = 1000\ndeadline = 2026-11-24T12:00:00Z"), "about 980 letters can reach Transit Commissioner before the deadline"),
    (top("deadline = 2026-11-22T13:00:00Z", target('hours = "Mon 08:00-09:00"')), "nothing can reach Transit Commissioner before"),
])
def test_what_is_seldom_meant_is_told_as_a_warning(text: str, expected: str) -> None:
    assert expected in warnings(text)


def test_letters_that_the_fax_typeface_lacks_are_told_only_where_a_fax_goes_out() -> None:
    chinese = MINIMAL.replace("Keep the bus", "請保留公車")
    assert "the fax typeface has no" not in warnings(chinese)
    assert "the fax typeface has no 請 (U+8ACB)" in warnings(f'{chinese}fax = ["+14165550133"]\n')


def test_a_limit_that_suffices_is_not_warned_about() -> None:
    assert "before the deadline" not in warnings(top("goal = 900\ndeadline = 2026-11-24T12:00:00Z"))


# --- writing

_LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=30).map(str.strip).filter(bool)
_ODD = st.sampled_from(["", '"""', '"', "\\", "'''", "\t- x", "# [target]", "deadline = 1"])
_LINES = st.lists(_LINE | _ODD, min_size=1, max_size=5).map(lambda x: "\n".join(x).strip()).filter(bool)
_PLAIN = st.text("abc äß\"\\'#%\n", min_size=1, max_size=40).map(str.strip).filter(lambda s: s and "{" not in s and "%" not in s)
_TEMPLATES = st.builds("{} {}".format, _PLAIN, st.sampled_from(
    ["{{ supporter.name }}", '{% if supporter.city == "x" %}a{% endif %}', "", "{{ campaign.reference }}."])).map(str.strip)
_SUBJECTS = _TEMPLATES.map(lambda s: " ".join(s.split()))
_SLUGS = st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,2}", fullmatch=True)
_EMAILS = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9+]{1,5})?@[a-z]{1,8}\.example", fullmatch=True)
_FAXES = st.integers(100, 199).map(lambda n: f"+14165550{n:03d}")
_TAGS = st.sampled_from(["fr", "de", "pt-BR", "fa", "ar"])


def _few(items: st.SearchStrategy[str], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(items, min_size=least, max_size=3, unique=True).map(tuple)


_TARGETS = st.builds(
    TargetSpec, id=_SLUGS, name=_LINE, salutation=_LINE | st.just(""), role=_LINE | st.just(""), organization=_LINE | st.just(""),
    kind=st.sampled_from(["office", "company"]), source_url=st.sampled_from(["", "https://a.example/x?y=1#z"]),
    language=st.just("") | _TAGS, timezone=st.sampled_from(["UTC", "America/Toronto"]),
    hours=st.sampled_from(["", "always", "Mon-Fri 08:00-18:00"]),
    postal_address=_LINES | st.just(""), email=_few(_EMAILS, 1), fax=_few(_FAXES), phone=_few(_FAXES),
    limits=st.sampled_from([{}, {"email": "20/hour, 200/day"}, {"email": "3/second", "fax": "6/hour, 100/total"}]))
_DEADLINES = st.builds(
    lambda at, minutes: at.replace(tzinfo=timezone(timedelta(minutes=minutes))),
    st.datetimes(datetime(2026, 11, 25), datetime(2045, 1, 1)), st.integers(-14 * 60, 14 * 60))


@st.composite
def campaigns(draw: st.DrawFn) -> CampaignSpec:
    tags = tuple(draw(st.lists(_TAGS, max_size=2, unique=True)))
    levels = st.sampled_from(["required", "optional", "off"])
    return draw(st.builds(
        CampaignSpec, slug=_SLUGS, title=_LINE, summary=_LINE | st.just(""), story=_LINES | st.just(""),
        letter=st.builds(LetterText, _SUBJECTS, _TEMPLATES), editable=st.booleans(),
        targets=st.lists(_TARGETS, min_size=1, max_size=3, unique_by=lambda t: t.id).map(tuple), deadline=st.none() | _DEADLINES,
        inbox=st.sampled_from(["", "copies@inbox.sample.example"]), languages=st.just(("en", *tags)), country=st.sampled_from(["", "CA"]),
        reference=_LINE | st.just(""), goal=st.integers(0, 10**9), endorsers=st.lists(_LINE, max_size=3).map(tuple),
        confirm=st.sampled_from(["", "email", "none"]), contact=_LINE | st.just(""),
        fields=st.fixed_dictionaries({n: levels for n in ("street", "city", "postal_code", "phone")}),
        accent=st.sampled_from(["", "#00ff7f"]), attach_pdf=st.booleans(), on_unknown=st.sampled_from(["hold", "resend"]),
        translations=st.fixed_dictionaries({t: st.builds(LetterText, _SUBJECTS, _TEMPLATES) for t in tags}),
        call_script=_TEMPLATES | st.just("")))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(campaigns())
def test_what_is_written_reads_back_the_same(spec: CampaignSpec) -> None:
    assert read(write_campaign(spec)) == spec
    assert spec_from_json(spec_to_json(spec)) == spec
    assert spec_digest(spec_from_json(spec_to_json(spec))) == spec_digest(spec)


def test_a_written_campaign_is_for_people_to_read() -> None:
    text = write_campaign(read(MINIMAL.replace('body = "', 'body = "She said \\"no\\".\\n\\n')))
    assert 'body = """\nShe said "no".\n\nDear {{ target.salutation }}, please. {{ supporter.name }}"""\n' in text
    assert '\n[[target]]\nid = "transit-commissioner"\nname = "Transit Commissioner"\nemail = ["commissioner@transit.example"]\n' in text
    assert "goal" not in text


def test_a_definition_kept_by_an_older_version_still_reads() -> None:
    spec = read(MINIMAL)
    old = spec_to_json(spec)
    del old["call_script"], old["accent"], old["targets"][0]["phone"]
    assert spec_from_json({**old, "of_a_newer_version": 1}) == spec


# --- what we ship

@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "templates" / "campaigns").iterdir()))
def test_ready_made_campaigns_import_without_a_warning(name: str) -> None:
    spec, found = read_campaign(ROOT / "templates" / "campaigns" / name, service(), NOW)
    assert found == []
    assert read(write_campaign(spec)) == spec
    assert spec.slug == name
    assert spec.inbox
    assert spec.contact
    assert spec.deadline
    assert 200 <= len(spec.story.split()) <= 350
    for t in spec.targets:
        assert t.hours == "always", "the demo must deliver at any hour"
        assert all(a.endswith(".example") for a in t.email)
        assert all(re.fullmatch(r"\+141655501\d\d", n) for n in (*t.fax, *t.phone))


def test_one_ready_made_campaign_is_an_urgent_fax_and_the_other_goes_to_two_ministries() -> None:
    folder = ROOT / "templates" / "campaigns"
    fax, _ = read_campaign(folder / "let-irena-stay", service(), NOW)
    assert fax.deadline is not None
    assert (fax.deadline.date() - NOW.date()).days == 8
    assert fax.targets[0].fax and fax.targets[0].email and fax.targets[0].phone and fax.reference
    assert "fr" in fax.translations
    assert "{% if supporter.affiliation %}" in fax.call_script
    ministers, _ = read_campaign(folder / "clean-water-for-lake-orsa", service(), NOW)
    assert len(ministers.targets) == 2
    assert not any(t.fax for t in ministers.targets)
    assert ministers.editable and ministers.endorsers


def test_the_documentation_lists_every_key_and_no_other() -> None:
    text = (ROOT / "docs" / "campaign-file.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `[a-z_]+` \|.*$", text, flags=re.M)
    assert rows == [k.row() for rows in KEYS.values() for k in rows]
