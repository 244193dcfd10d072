"""Where signing in leads, and how a browser is named."""

from __future__ import annotations

import pytest

from outreach.web.desk import doors
from outreach.web.desk.browsers import browser_name


@pytest.mark.parametrize(("asked", "to"), [
    ("/o/c/night-bus/levers?x=1", "/o/c/night-bus/levers?x=1"), ("", "/o/"), ("//evil.example", "/o/"), ("/o//evil.example", "/o/"),
    ("https://evil.example/o/", "/o/"), ("/o/\\evil.example", "/o/"), ("/o/\r\nset-cookie: x", "/o/"), ("/c/night-bus", "/o/"),
    ("/o/login/x", "/o/"), ("/o/logout", "/o/"), ("/o/" + "x" * 600, "/o/"), ("/o/../evil", "/o/")])
def test_signing_in_leads_to_the_desk_and_nowhere_else(asked: str, to: str) -> None:
    assert doors.own_path(asked) == to


@pytest.mark.parametrize(("agent", "name"), [
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
    ("Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
     "Chrome on Android"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 "
     "Safari/604.1", "Safari on iPhone"),
    ("curl/8", "A browser")])
def test_a_browser_is_known_again_by_its_name(agent: str, name: str) -> None:
    assert browser_name(agent) == name
