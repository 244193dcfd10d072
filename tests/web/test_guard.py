"""What every request meets: headers, the same-origin rule, caps, and no 5xx whatever comes in."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from outreach.web.look import DAY_DESK, DAY_PAPER, LEAST, NIGHT_DESK, NIGHT_INK, NIGHT_PAPER, accent_css, contrast
from tests.web.conftest import Site

C = "/c/keep-the-night-bus"


@pytest.mark.parametrize("path", ["/", C, "/privacy", "/nowhere", "/static/outreach.css", "/healthz", "/o/"])
def test_every_answer_carries_the_strict_policy(site: Site, path: str) -> None:
    headers = site.client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] in ("same-origin", "no-referrer")
    assert "geolocation=()" in headers["permissions-policy"]
    assert "set-cookie" not in headers


def test_no_page_holds_what_its_policy_forbids(site: Site) -> None:
    for path in ("/", C, "/privacy", "/nowhere", "/o/", site.send()):
        page = site.client.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/static/)", page), path


@pytest.mark.parametrize("headers", [
    {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site", "origin": "http://testserver"},
    {"origin": "http://testserver.evil.example"}, {"origin": "null", "cookie": "outreach_desk=x"}, {"cookie": "outreach_desk=x"}])
def test_another_site_s_page_can_do_nothing(site: Site, headers: dict[str, str]) -> None:
    for path in (C, "/o/logout", "/s/x/confirm"):
        answer = site.client.post(path, data=site.form(), headers=headers)
        assert answer.status_code == 403, path
        assert "This did not come from our own page" in answer.text


@pytest.mark.parametrize("headers", [
    {}, {"origin": "http://testserver"}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "null"}])
def test_our_own_page_and_plain_clients_can(site: Site, headers: dict[str, str]) -> None:
    assert site.client.post(C, data=site.form(), headers=headers).status_code == 303


def test_a_body_over_the_cap_is_refused(site: Site) -> None:
    assert site.client.post(C, data=site.form(body="x" * 1_100_000)).status_code == 413
    assert site.client.post("/hooks/twilio", content=b"x" * 1_100_000).status_code == 413

    def endless() -> object:
        yield from (b"x" * 65_536 for _ in range(40))

    assert site.client.post("/hooks/twilio", content=endless()).status_code == 413  # type: ignore[arg-type]


BODIES: list[tuple[str, bytes]] = [
    ("application/x-www-form-urlencoded", b""),
    ("application/x-www-form-urlencoded", b"name=%00%ff%fe&email=%ED%A0%80&token=%00&body=" + b"%F0%9F" * 50),
    ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(5000))),
    ("application/x-www-form-urlencoded; charset=utf-16", "name=Jané".encode("utf-16")),
    ("multipart/form-data", b"no boundary"),
    ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nJane\x00\r\n--x--\r\n"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nfile\r\n--x--\r\n"),
    ("multipart/form-data; boundary=x", b"--x\r\n\xff\xfe: \r\n\r\n\r\n--x--"),
    ("multipart/form-data; boundary=x; charset=no-such", b"--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nJ\r\n--x--\r\n"),
    ("application/json", b'{"name": 1}'),
    ("text/plain", b"name=Jane"),
    ("\x00nonsense", b"\x00\x01"),
]


@pytest.mark.parametrize(("kind", "body"), BODIES)
@pytest.mark.parametrize("path", [C, C + "/preview", C + "/letter.pdf", C + "/report", "/s/some-token/confirm", "/m/m-x-y/erase"])
def test_rubbish_is_answered_not_crashed_upon(site: Site, path: str, kind: str, body: bytes) -> None:
    answer = site.client.post(path, content=body, headers={"content-type": kind})
    assert answer.status_code < 500, answer.text[:300]
    assert answer.status_code != 303


@pytest.mark.parametrize("text", ["{{ 7*7 }}", "#read(\"/etc/passwd\")", "a\r\nBcc: x@y.example", "\u202eevil", "\ud83d\ude00" * 50,
                                  "\x00\x07", "<script>alert(1)</script>", "=1+1", "ﷺ" * 100, "x" * 100_000])
@pytest.mark.parametrize("field", ["name", "email", "street", "city", "affiliation", "subject", "body", "targets", "channel", "token",
                                   "language", "proof", "updates"])
def test_anything_in_any_field_is_answered(site: Site, field: str, text: str) -> None:
    text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    for path in (C, C + "/preview"):
        answer = site.client.post(path, data=site.form(**{field: text}))
        assert answer.status_code in (200, 303, 422), (path, answer.status_code)
        assert "<script>alert" not in answer.text and "{{ 7*7 }}49" not in answer.text


@pytest.mark.parametrize("path", ["/?lang=%00", "/?lang=" + "x" * 5000, C + "?lang=../../etc", "/static/../app.py", "/static/%2e%2e/app.py",
                                  "/accent/zzz.css", "/media/x.tiff", "/media/x", "/sandbox/fax/%00/1.png", "/o/login/%00", "/c/", "//",
                                  "/c/keep-the-night-bus/extra"])
def test_odd_addresses_are_answered(site: Site, path: str) -> None:
    assert site.client.get(path).status_code < 500


@pytest.mark.parametrize("header", ["fr;q=abc", ",,,;;;", "x" * 9000, "\xff\xfe", "fr-CA;q=0"])
def test_an_odd_language_header_gets_the_page(site: Site, header: str) -> None:
    assert site.client.get(C, headers={"accept-language": header.encode("latin-1")}).status_code == 200  # type: ignore[dict-item]


def test_wrong_methods_are_told(site: Site) -> None:
    assert site.client.delete(C).status_code == 405
    assert site.client.get("/hooks/twilio").status_code == 405
    assert site.client.head(C).status_code == 200


@pytest.mark.parametrize("accent", ["#ffe680", "#000000", "#ffffff", "#00ff00", "#8a1c2b", "nonsense", "#777777"])
def test_an_accent_is_readable_by_day_and_by_night(accent: str) -> None:
    css = accent_css(accent)
    day, night = re.findall(r"--accent:(#[0-9a-f]{6})", css)
    assert min(contrast(day, ground) for ground in (DAY_DESK, DAY_PAPER, "#ffffff")) >= LEAST >= 4.5
    assert min(contrast(night, ground) for ground in (NIGHT_DESK, NIGHT_PAPER, NIGHT_INK)) >= LEAST


def test_the_sandbox_is_not_there_in_earnest(site: Site) -> None:
    assert site.client.get("/sandbox").status_code == 404


def test_readiness_names_what_is_missing(site: Site) -> None:
    assert site.client.get("/healthz").text == "ok\n"
    answer = site.client.get("/readyz")
    assert answer.status_code == 503 and "outreach migrate" in answer.text  # tables made without migrations


def test_metrics_count_letters_and_nobody(site: Site) -> None:
    site.send()
    page = site.client.get("/metrics").text
    assert 'outreach_letters{channel="email",state="unconfirmed"} 2.0' in page
    assert "jane" not in page.lower()


def test_over_https_the_cookie_is_secure_and_the_browser_told_to_stay(open_site: Callable[..., Site]) -> None:
    from outreach.services import access

    site = open_site(PUBLIC_URL="https://letters.example")
    link = access.invite("desk@campaign.example").removeprefix("https://letters.example")
    answer = site.client.post(link, headers={"origin": "https://letters.example"})
    assert "secure" in answer.headers["set-cookie"].lower() and "strict-transport-security" in answer.headers


def test_a_database_that_cannot_write_is_said_plainly_and_is_not_called_our_mistake(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    from outreach.web import supporter

    def full(*_given: object, **_more: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(supporter.submit, "submit", full)
    answer = site.client.post(C, data=site.form())
    assert answer.status_code == 503 and answer.headers["retry-after"] == "60"
    assert "stored whole or not at all" in answer.text.replace("\n", " ") and "our mistake" not in answer.text
