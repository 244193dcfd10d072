"""Logs say which letter and why, and never whose."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from outreach import logs

LETTER = "01jd2m4n5p6q7r8s9t0v1w2x3y"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    kept, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.configure("info", stream=stream)
    yield stream
    root.handlers[:] = kept
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_its_ids_and_the_time_in_utc(written: io.StringIO) -> None:
    logs.get().info("letter.sent", letter=LETTER, campaign="keep-the-night-bus", seconds=0.25, provider="smtp")
    (line,) = lines(written)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "letter.sent", "level": "info", "logger": "outreach", "letter": LETTER,
                    "campaign": "keep-the-night-bus", "seconds": 0.25, "provider": "smtp"}


def test_text_under_a_key_that_nobody_allowed_is_withheld(written: io.StringIO) -> None:
    logs.get().warning("form.refused", name="Zoë Müller", body="Dear Commissioner", total=3, phone=4165550101, reason="trap")
    (line,) = lines(written)
    assert line["name"] == line["body"] == line["phone"] == "[withheld]"
    assert (line["total"], line["reason"]) == (3, "trap")


@pytest.mark.parametrize("text_", [
    "zoe@supporter.example", "to <zoe.müller+tag@supporter.example>", "+1 416 555 0101", "(416) 555-0101", "+14165550101",
    "fax to 416.555.0101 failed", "192.168.100.23", "2001:db8:0:1::5"])
def test_what_looks_like_an_address_or_a_number_is_masked_everywhere(written: io.StringIO, text_: str) -> None:
    logs.get().info("said " + text_, reason=text_, error=[text_])
    logging.getLogger("some.library").warning("refused %s", text_)
    for line in lines(written):
        shown = json.dumps(line, ensure_ascii=False)
        for part in ("zoe", "supporter.example", "555", "168.100", "db8"):
            assert part not in shown.replace(line["timestamp"], "")


@pytest.mark.parametrize("text_", [LETTER, "2026-11-22T04:47:28+00:00", "queue.unreachable", "127.0.0.1:8000", "01930184561238904512345678",
                                   "FX0123456789abcdef0123456789abcdef", "550 5.1.1"])
def test_ids_times_and_codes_are_left_readable(written: io.StringIO, text_: str) -> None:
    logs.get().info("x", error=text_)
    assert lines(written)[0]["error"] == text_


@pytest.mark.parametrize(("asked", "logged"), [
    ("/s/Zm9vYmFyYmF6cXV4Zm9v", "/s/…"), ("/s/Zm9vYmFyYmF6cXV4Zm9v.json?x=1", "/s/….json"), ("/m/short/withdraw", "/m/…/withdraw"),
    ("/c/keep-the-night-bus?email=zoe@supporter.example", "/c/keep-the-night-bus"), ("/o/login/abc?next=/", "/o/login/…"),
    ("/c/a-very-long-slug-of-a-campaign-on-night-buses", "/c/a-very-long-slug-of-a-campaign-on-night-buses"),
    ("/media/01jd?expires=1700000000&signature=00ff", "/media/…"), ("/elsewhere/AAAAAAAAAAAAAAAAAAAAAAAA", "/elsewhere/…"),
    ("/x/zoe%40supporter.example", "/x/[e-mail]")])
def test_the_access_log_has_no_token_no_query_and_no_client(written: io.StringIO, asked: str, logged: str) -> None:
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "203.0.113.9:5121", "GET", asked, "1.1", 200)
    (line,) = lines(written)
    del line["timestamp"]
    assert line == {"event": "http.request", "level": "info", "logger": "uvicorn.access", "method": "GET", "path": logged, "status": 200}


def test_a_traceback_shows_where_and_what_kind_but_no_value(written: io.StringIO) -> None:
    try:
        raise ValueError("'Zoë Müller' is not a name; zoe@supporter.example wrote it") from KeyError("Jane Roe")
    except ValueError:
        logs.get().exception("submit.failed", letter=LETTER)
    (line,) = lines(written)
    assert "ValueError: […] is not a name; [e-mail] wrote it" in line["exception"]
    assert "KeyError" in line["exception"] and "test_logs.py" in line["exception"]
    assert not {"Zoë", "Müller", "Roe", "zoe"} & set(written.getvalue().replace('"', " ").split())


def test_a_database_error_keeps_its_constraint_and_loses_its_parameters(written: io.StringIO) -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE people (email TEXT UNIQUE)"))
        add = text("INSERT INTO people VALUES (:email)")
        connection.execute(add, {"email": "zoe@supporter.example"})
        with pytest.raises(IntegrityError) as caught:
            connection.execute(add, {"email": "zoe@supporter.example"})
    logs.get().error("submit.failed", exc_info=caught.value)
    assert "people.email" in lines(written)[0]["exception"]
    assert "zoe" not in written.getvalue()


def test_lines_inside_about_carry_its_ids(written: io.StringIO) -> None:
    with logs.about(letter=LETTER, campaign="keep-the-night-bus"):
        logs.get().info("a")
    logs.get().info("b")
    first, second = lines(written)
    assert (first["letter"], first["campaign"]) == (LETTER, "keep-the-night-bus")
    assert "letter" not in second


def test_libraries_that_log_whole_requests_are_kept_quiet(written: io.StringIO) -> None:
    for name in ("httpx", "twilio.http_client", "mail.log", "rq.worker"):
        logging.getLogger(name).info("POST with a body")
    assert written.getvalue() == ""


def test_a_terminal_gets_lines_for_eyes() -> None:
    root = logging.getLogger()
    kept, level, stream = list(root.handlers), root.level, io.StringIO()
    logs.configure("info", stream=stream, pretty=True)
    try:
        logs.get().info("worker.started", queue="email")
    finally:
        root.handlers[:] = kept
        root.setLevel(level)
        structlog.reset_defaults()
    assert "worker.started" in stream.getvalue() and not stream.getvalue().startswith("{")
