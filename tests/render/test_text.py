"""A letter's text: templates are the organizer's, everything a supporter types is data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.render.clean import clean_line, clean_text
from outreach.render.text import (
    PLACEHOLDERS,
    VARIABLES,
    CannotRender,
    Part,
    Person,
    check_template,
    editable_text,
    is_unedited,
    live_parts,
    placeholders,
    render_letter,
)
from tests.render.samples import BODY, PERSON, TARGET, campaign

HOSTILE = [
    "{{ 7*7 }}",
    "{% if x %}",
    "{{ supporter.email }}",
    "{# x #}",
    "[your city]",
    "[salutation]",
    '#read("/etc/passwd")',
    "%(name)s",
    "{0}",
    "\\1\\g<0>",
    "$name",
    "<b>&amp;",
]


def test_a_letter_is_personal() -> None:
    letter = render_letter(campaign(), TARGET, replace(PERSON, affiliation="Riders’ Union"))
    assert letter.subject == "Keep the night bus, file TC-4457"
    assert letter.body == (
        "Dear Commissioner,\n\nI write on behalf of Riders’ Union about file TC-4457.\n\n"
        "Yours sincerely,\nZoë Łukasz\nRiders’ Union\nToronto"
    )


def test_optional_lines_disappear_without_a_trace() -> None:
    letter = render_letter(campaign(), TARGET, replace(PERSON, city=""))
    assert letter.body == "Dear Commissioner,\n\nI write about file TC-4457.\n\nYours sincerely,\nZoë Łukasz"


@pytest.mark.parametrize(
    ("template", "without", "with_it"),
    [
        (
            "I am {{ supporter.name }} {% if supporter.affiliation %}of {{ supporter.affiliation }}{% endif %}, and I ask.",
            "I am Zoë Łukasz, and I ask.",
            "I am Zoë Łukasz of RU, and I ask.",
        ),
        ("a\n{% if supporter.affiliation %}\nfor {{ supporter.affiliation }}\n{% endif %}\nb", "a\nb", "a\nfor RU\nb"),
        ("a\n\n{% if supporter.affiliation %}For {{ supporter.affiliation }}.{% endif %}\n\nb", "a\n\nb", "a\n\nFor RU.\n\nb"),
        (
            "{% if supporter.affiliation %}For {{ supporter.affiliation }}{% else %}For myself{% endif %} x",
            "For myself x",
            "For RU x",
        ),
        ("Wait ... {{ supporter.affiliation|default('all of us') }} !", "Wait ... all of us !", "Wait ... RU !"),
        ("{{ supporter.affiliation|upper }} x", "x", "RU x"),
        ("keep  these\n\n  spaces", "keep  these\n\n  spaces", "keep  these\n\n  spaces"),
    ],
)
def test_what_an_optional_part_leaves_behind_is_tidied(template: str, without: str, with_it: str) -> None:
    assert render_letter(campaign(template), TARGET, PERSON).body == without
    assert render_letter(campaign(template), TARGET, replace(PERSON, affiliation="RU")).body == with_it


@given(st.text(max_size=30) | st.sampled_from(HOSTILE))
def test_what_a_supporter_types_is_data(name: str) -> None:
    spec = campaign("x {{ supporter.name }} y", "s {{ supporter.name }} t")
    letter = render_letter(spec, TARGET, Person(name, "a@b.example"))
    shown = clean_line(name)
    assert "".join(letter.body.split()) == "".join(f"x {shown} y".split())  # a point of theirs may close up to the word before
    if shown and "  " not in shown and " ," not in shown and " ." not in shown:
        assert letter.body == f"x {shown} y"
    assert letter.subject.split() == f"s {shown} t".split()


@given(st.text(min_size=1, max_size=80) | st.sampled_from(HOSTILE))
def test_own_words_are_never_a_template(own: str) -> None:
    if any(p in own for table in PLACEHOLDERS.values() for p in table.values()) or not clean_text(own):
        return
    letter = render_letter(campaign(), TARGET, PERSON, subject="x", body=own)
    assert letter.body == clean_text(own)


def test_placeholders_in_own_words_are_filled_in_once() -> None:
    sly = Person("[your city] {{ campaign.slug }} [salutation]", "a@b.example", city="[your name]")
    letter = render_letter(
        campaign(), TARGET, sly, subject="From [your name]\nBcc: x", body="[salutation], [votre nom] in [your city]. [sic]"
    )
    assert letter.subject == "From [your city] {{ campaign.slug }} [salutation] Bcc: x"
    assert letter.body == "Commissioner, [your city] {{ campaign.slug }} [salutation] in [your name]. [sic]"


def test_a_placeholder_without_a_value_takes_its_line_with_it() -> None:
    letter = render_letter(
        campaign(),
        TARGET,
        replace(PERSON, city="", postal_code=""),
        subject="x",
        body="Yours,\n[your name]\n[your city] [your postal code]\n\nfrom [your city], with love",
    )
    assert letter.body == "Yours,\nZoë Łukasz\n\nfrom, with love"


def test_the_target_s_language_decides() -> None:
    spec = campaign("Until {{ campaign.deadline }}: {{ target.salutation }}")
    assert render_letter(spec, replace(TARGET, salutation=""), PERSON).body == "Until 22 January 2027: Transit Commissioner"
    spec = replace(spec, translations={"fr": replace(spec.letter, body="Avant le {{ campaign.deadline }}")})
    assert render_letter(spec, replace(TARGET, language="fr"), PERSON).body == "Avant le 22 janvier 2027"
    assert render_letter(replace(spec, deadline=None), TARGET, PERSON).body == "Until : Commissioner"


@pytest.mark.parametrize(("subject", "body"), [("", "x"), ("x", " \n "), ("x", "a" * 20_001)])
def test_an_empty_or_endless_letter_is_refused(subject: str, body: str) -> None:
    with pytest.raises(CannotRender):
        render_letter(campaign(), TARGET, PERSON, subject=subject, body=body)


def test_a_broken_template_is_refused_when_it_is_used_all_the_same() -> None:
    with pytest.raises(CannotRender, match="nme"):
        render_letter(campaign("{{ supporter.nme }}"), TARGET, PERSON)


# -- checking templates ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        BODY,
        "",
        "no braces",
        "{% if not supporter.city and target.role or campaign.reference %}a{% elif supporter.phone %}b{% else %}c{% endif %}",
        "{{ supporter.name|upper|trim }}",
        "{{ supporter.city|default('Toronto') }}",
        "{{ supporter.affiliation or 'a rider' }}",
        "{{ 'Ms' if supporter.city == 'x' else 'Mr' }}",
        "{# a remark #}",
        "{% raw %}{{ x }}{% endraw %}",
    ],
)
def test_templates_that_are_fine(template: str) -> None:
    assert check_template(template) == []


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ supporter.nme }}", "supporter.nme: no such variable; there are supporter.name"),
        ("\n\n{{ target.addr|upper }}", "(line 3)"),
        ("{% if supporter.nme %}x{% endif %}", "supporter.nme"),
        ("{% if a.b and not supporter.name %}x{% endif %}", "a.b"),
        ("{{ x }}", "x: no such variable"),
        ("{{ supporter }}", "supporter.name"),
        ("{{ supporter.name.__class__ }}", "__class__"),
        ("{{ ''.__class__.__mro__ }}", "__mro__"),
        ("{{ supporter['name'] }}", "[…]"),
        ("{{ supporter.name() }}", "call"),
        ("{{ 7*7 }}", "mul"),
        ("{{ 'a' * 10 ** 9 }}", "mul"),
        ("{% for x in range(9) %}{% endfor %}", "{% for %}"),
        ("{% include 'x' %}", "{% include %}"),
        ("{% extends 'x' %}", "{% extends %}"),
        ("{% import 'x' as y %}", "{% import %}"),
        ("{% macro x() %}{% endmacro %}", "{% macro %}"),
        ("{% set x = 1 %}", "{% set %}"),
        ("{% block x %}{% endblock %}", "{% block %}"),
        ("{{ supporter.name|replace('a', 'b') }}", "'replace'"),
        ("{{ supporter.name|attr('x') }}", "'attr'"),
        ("{{ supporter.name|upper('x') }}", "'upper'"),
        ("{{ supporter.city is defined }}", "is"),
        ("{% if supporter.city > 'a' %}{% endif %}", "=="),
        ("x\n{% if supporter.name %}", "line 2"),
        ("{{ supporter.name", "line 1"),
        ("{{ cycler }}{{ lipsum }}", "cycler"),
        ("{{" + "(" * 3000, "intricate"),
        ("{{ " + "9" * 9000 + " }}", "intricate"),
        ("{% if supporter.name %}" * 40 + "{% endif %}" * 40, "nested"),
        ("a" * 20_001, "20001 characters"),
    ],
)
def test_templates_that_are_not(template: str, says: str) -> None:
    found = check_template(template)
    assert any(says in message for message in found), found


def test_each_mistake_is_told() -> None:
    assert len(check_template("{{ a.b }}{{ supporter.x }}\n{{ supporter.x }}{% for y in z %}{% endfor %}")) == 4


@given(st.text(st.sampled_from("{}%#|.()[]'\"\\ \nabifsupporter_name9*+~"), max_size=60))
def test_checking_never_raises_and_what_passes_renders(template: str) -> None:
    if not check_template(template):
        render_letter(campaign("x" + template), TARGET, PERSON)


# -- the editable text -----------------------------------------------------------------------------------------------------


def test_the_editable_text_has_placeholders_and_no_optional_lines() -> None:
    text = editable_text(campaign(), "en")
    assert text.subject == "Keep the night bus, file TC-4457"
    assert text.body == (
        "Dear [salutation],\n\nI write about file TC-4457.\n\nYours sincerely,\n[your name]\n[your organisation]\n[your city]"
    )
    assert editable_text(campaign(), "fr").body == "Bonjour [formule d’appel],\n\n[votre nom]"


def test_what_the_campaign_requires_counts_as_given_and_what_it_does_not_ask_as_empty() -> None:
    spec = campaign("{% if supporter.city %}from {{ supporter.city }}{% endif %} x\n{{ supporter.street }}")
    assert editable_text(replace(spec, fields={"city": "required", "street": "off"}), "en").body == "from [your city] x"
    assert editable_text(replace(spec, fields={"city": "optional", "street": "optional"}), "en").body == "x\n[your street]"


def test_the_unedited_text_is_known_again_after_a_browser_had_it() -> None:
    first = editable_text(campaign(), "en")
    assert is_unedited(campaign(), "en", first.subject, first.body)
    assert is_unedited(campaign(), "en", f" {first.subject} ", first.body.replace("\n", "\r\n") + "\r\n")
    assert is_unedited(campaign(), "en", "", "")
    assert not is_unedited(campaign(), "en", first.subject, first.body + " Really.")
    assert not is_unedited(campaign(), "en", "Other", first.body)


@given(st.fixed_dictionaries({f: st.sampled_from(["", "Łódź", "[your name]", "{{ x }}"]) for f in ("city", "street", "phone")}))
def test_the_editable_text_filled_in_is_the_letter(details: dict[str, str]) -> None:
    spec = campaign(
        "Dear {{ target.salutation }},\n\n{{ supporter.name }}\n{{ supporter.street }}\n{{ supporter.city }} {{ supporter.phone }}",
        fields={"street": "optional", "city": "optional", "phone": "optional"},
    )
    person = Person("Zoë", "z@b.example", **details)
    text = editable_text(spec, "en")
    assert render_letter(spec, TARGET, person, subject=text.subject, body=text.body) == render_letter(spec, TARGET, person)


def test_what_is_said_of_the_campaign_is_the_same_in_the_form_the_browser_and_the_letter() -> None:
    source = "\n".join(f"{{{{ campaign.{name} }}}}" for name in VARIABLES["campaign"])
    said = "Keep the night bus\nTC-4457\n22 January 2027\nRiders, info@nightbus.example\nnight-bus"
    spec = campaign(source)
    assert render_letter(spec, TARGET, PERSON).body == said
    assert editable_text(spec, "en").body == said
    assert "".join(p.text for p in live_parts(source, spec, TARGET)) == said


def test_placeholders_name_their_fields() -> None:
    assert placeholders(campaign(), "fr-CA")["[votre nom]"] == "name"
    assert placeholders(campaign(), "xx")["[your name]"] == "name"
    assert {frozenset(table) for table in PLACEHOLDERS.values()} == {frozenset(PLACEHOLDERS["en"])}


# -- filling in live -------------------------------------------------------------------------------------------------------


def test_live_parts_hold_what_the_supporter_will_type() -> None:
    parts = live_parts(
        "Dear {{ target.salutation }}, {% if supporter.city %}from {{ supporter.city|upper }}{% endif %}{{ campaign.slug }}",
        campaign(),
        TARGET,
    )
    assert parts == [
        Part("text", "Dear Commissioner, "),
        Part("group", field="city", parts=(Part("text", "from "), Part("field", field="city"))),
        Part("text", "night-bus"),
    ]


def test_live_parts_with_an_else() -> None:
    source = "{% if supporter.affiliation %}For {{ supporter.affiliation }}, we{% else %}I{% endif %} ask"
    assert live_parts(source, campaign(), TARGET) == [Part("text", "I ask")]
    assert live_parts(source, campaign(), TARGET, otherwise=True) == [
        Part(
            "group", field="affiliation", parts=(Part("text", "For "), Part("field", field="affiliation"), Part("text", ", we"))
        ),
        Part("unless", field="affiliation", parts=(Part("text", "I"),)),
        Part("text", " ask"),
    ]


@given(
    st.sampled_from(["", "x"]),
    st.sampled_from(["", "y"]),
    st.sampled_from(
        [
            "{% if supporter.city %}a{% elif supporter.phone %}b{% else %}c{% endif %}",
            "{% if supporter.city and not supporter.phone %}a{% else %}b{% endif %}",
            "{% if supporter.city or supporter.phone %}a{{ supporter.city }}{% endif %}",
            "{% if target.role and supporter.city %}a{% else %}b{% endif %}",
            "{{ supporter.city if supporter.phone else 'n' }}",
            "{% if not supporter.city %}a{% if supporter.phone %}b{% endif %}{% endif %}",
        ]
    ),
)
def test_live_parts_say_what_the_letter_says(city: str, phone: str, source: str) -> None:
    values = {"city": city, "phone": phone}

    def shown(parts: list[Part] | tuple[Part, ...]) -> str:
        return "".join(
            p.text
            if p.kind == "text"
            else values[p.field]
            if p.kind == "field"
            else shown(p.parts)
            if bool(values[p.field]) == (p.kind == "group")
            else ""
            for p in parts
        )

    letter = render_letter(campaign(f".{source}."), TARGET, Person("n", "e@x.example", **values))
    assert "." + shown(live_parts(source, campaign(), TARGET, otherwise=True)) + "." == letter.body
