"""What the fax transports put on the wire, and what they learn by asking."""

from __future__ import annotations

import base64
import email
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import policy
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from outreach.domain.letters import Reason, Verdict
from outreach.errors import OutreachError, TransportDown
from outreach.transports.base import Accepted, NotStarted, Outcome, Refused, Unknown
from outreach.transports.fax.telnyx import TelnyxFaxTransport
from outreach.transports.fax.twilio import TwilioFaxTransport
from tests.transports.letters import ATTEMPT, fax
from tests.transports.servers import Answer, HttpServer, free_port, running

SINCE = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
SIGNALWIRE = "/api/laml/2010-04-01/Accounts/project-1/Faxes"
STATE = base64.b64encode(ATTEMPT.encode()).decode()


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with running(HttpServer(lambda asked: Answer(404))) as s:
        yield s


def twilio(server: HttpServer, path: str = "/v1/Faxes") -> TwilioFaxTransport:
    return TwilioFaxTransport(server.url + path, "AC1", "token", 2)


def telnyx(server: HttpServer) -> TelnyxFaxTransport:
    return TelnyxFaxTransport("KEY", server.url, "conn-1", 2)


def row(sid: str, status: str = "queued", **changes: Any) -> dict[str, Any]:
    return {"sid": sid, "to": "+14165550133", "status": status, "direction": "outbound", "num_pages": None,
            "date_created": "2026-11-20T14:05:00Z", **changes}


def telnyx_row(ref: str, status: str = "queued", **changes: Any) -> dict[str, Any]:
    return {"id": ref, "to": "+14165550133", "status": status, "direction": "outbound", "client_state": STATE,
            "created_at": "2026-11-20T14:05:00Z", **changes}


@pytest.mark.parametrize("path", ["/v1/Faxes", SIGNALWIRE, f"{SIGNALWIRE}.json"])
def test_twilios_form_goes_to_the_url_as_it_is_set(server: HttpServer, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    monkeypatch.setenv("TWILIO_REGION", "au1")
    server.answer = lambda asked: Answer(201, row("FX1"))
    with twilio(server, path).connect() as session:
        assert session.hand_over(fax()) == Accepted("FX1")
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", path)
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"AC1:token").decode()
    assert {k: v for k, [v] in parse_qs(asked.body.decode()).items()} == {
        "To": "+14165550133", "From": "+14165550100", "MediaUrl": fax().media_url, "Quality": "fine",
        "StatusCallback": fax().callback_url, "Ttl": "30"}


@pytest.mark.parametrize("code", [21211, 21217, 13224])
def test_twilios_bad_number_is_named(server: HttpServer, code: int) -> None:
    server.answer = lambda asked: Answer(400, {"code": code, "message": "The 'To' number is not valid", "status": 400})
    with twilio(server).connect() as session:
        outcome = session.hand_over(fax())
    assert isinstance(outcome, Refused) and (outcome.reason, outcome.permanent) == (Reason.BAD_NUMBER, True)


@pytest.mark.parametrize("make", [twilio, telnyx])
@pytest.mark.parametrize(("to", "outcome"), [("+1 (416) 555-0133", Accepted), ("+14165550199", Unknown)])
def test_an_answer_about_another_number_is_not_about_this_fax(server: HttpServer, make: Callable[[HttpServer], Any], to: str,
                                                              outcome: type[Outcome]) -> None:
    server.answer = lambda asked: Answer(201, {**row("FX1", to=to), "data": telnyx_row("FX1", to=to)})
    with make(server).connect() as session:
        assert isinstance(session.hand_over(fax()), outcome)


def test_telnyx_gets_the_pdf_itself_and_our_id(server: HttpServer) -> None:
    server.answer = lambda asked: Answer(202, {"data": telnyx_row("fax-1")})
    with telnyx(server).connect() as session:
        assert session.hand_over(fax()) == Accepted("fax-1")
    [asked] = server.asked
    assert (asked.method, asked.path, asked.headers["authorization"]) == ("POST", "/v2/faxes", "Bearer KEY")
    form = email.message_from_bytes(f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode() + asked.body,
                                    policy=policy.default)
    parts = {p.get_param("name", header="Content-Disposition"): p for p in form.iter_parts()}
    assert parts["contents"].get_content_type() == "application/pdf"
    assert parts["contents"].get_payload(decode=True) == b"%PDF-1.7 invented"
    sent = {k: p.get_payload(decode=True).decode().strip() for k, p in parts.items() if k != "contents"}
    assert sent == {"connection_id": "conn-1", "to": "+14165550133", "from": "+14165550100", "quality": "high",
                    "client_state": STATE,
                    "webhook_url": fax().callback_url}


def test_a_provider_that_reads_drop_by_drop_holds_nobody_up() -> None:
    """The pages may have arrived, who knows: they are not sent again by themselves."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        over = threading.Event()

        def sip() -> None:
            there, _ = listening.accept()
            with there:
                while not over.wait(0.05):
                    there.recv(20_000)

        reader = threading.Thread(target=sip)
        reader.start()
        began = time.monotonic()
        with TelnyxFaxTransport("KEY", f"http://127.0.0.1:{listening.getsockname()[1]}", "conn-1", 0.5).connect() as session:
            outcome = session.hand_over(fax(pdf=lambda: b"%PDF-1.7" * 3_000_000))
        took = time.monotonic() - began
        over.set()
        reader.join()
    assert isinstance(outcome, Unknown) and took < 2


def test_telnyxs_bad_number_is_named(server: HttpServer) -> None:
    server.answer = lambda asked: Answer(422, {"errors": [{"code": "10016", "detail": "not a number",
                                                           "source": {"pointer": "/to"}}]})
    with telnyx(server).connect() as session:
        outcome = session.hand_over(fax())
    assert isinstance(outcome, Refused) and outcome.reason is Reason.BAD_NUMBER


def test_a_fax_that_cannot_be_rendered_asks_nobody(server: HttpServer) -> None:
    def broken() -> bytes:
        raise OutreachError("no glyph")

    with telnyx(server).connect() as session:
        outcome = session.hand_over(fax(pdf=broken))
    assert isinstance(outcome, Refused) and outcome.reason is Reason.CANNOT_RENDER
    assert not server.asked


@pytest.mark.parametrize(("path", "asked_path"), [("/v1/Faxes", "/v1/Faxes/FX1"), (SIGNALWIRE, f"{SIGNALWIRE}/FX1"),
                                                  (f"{SIGNALWIRE}.json", f"{SIGNALWIRE}/FX1.json")])
def test_a_poll_asks_for_one_fax(server: HttpServer, path: str, asked_path: str) -> None:
    server.answer = lambda asked: Answer(200, row("FX1", "delivered", num_pages=3))
    word = twilio(server, path).poll("FX1")
    assert word and (word.verdict, word.pages, word.provider_ref, word.recipient) == (Verdict.DELIVERED, 3, "FX1", "+14165550133")
    assert server.asked[0].path == asked_path
    server.answer = lambda asked: Answer(200, row("FX1", "sending"))
    assert twilio(server, path).poll("FX1") is None


def test_telnyx_is_polled_with_our_id(server: HttpServer) -> None:
    server.answer = lambda asked: Answer(200, {"data": telnyx_row("fax-1", "failed", failure_reason="user_busy")})
    word = telnyx(server).poll("fax-1")
    assert word and (word.verdict, word.reason, word.retryable, word.attempt_id) == (Verdict.BOUNCED, Reason.BUSY, True, ATTEMPT)
    assert server.asked[0].path == "/v2/faxes/fax-1"


@pytest.mark.parametrize(("said", "at"), [("2026-11-20T14:07:31Z", datetime(2026, 11, 20, 14, 7, 31, tzinfo=UTC)),
                                          ("Fri, 20 Nov 2026 14:07:31 +0000", datetime(2026, 11, 20, 14, 7, 31, tzinfo=UTC)),
                                          ("2999-01-01T00:00:00Z", None), ("yesterday", None), (None, None)])
def test_a_fax_that_is_asked_about_late_says_when_it_ended(server: HttpServer, said: str | None, at: datetime | None) -> None:
    server.answer = lambda asked: Answer(200, row("FX1", "delivered", date_updated=said) | {
        "data": telnyx_row("FX1", "delivered", updated_at=said)})
    for make in (twilio, telnyx):
        before = datetime.now(UTC)
        word = make(server).poll("FX1")
        assert word and (word.at == at if at and not (make is telnyx and said and "," in said) else before <= word.at <= datetime.now(UTC))


MAKERS: list[Callable[[HttpServer], Any]] = [twilio, telnyx]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("answer", [Answer(404), Answer(400), Answer(302), Answer(200, b"<html>"), Answer(200, []),
                                    Answer(200, {"data": 1}), Answer(200, {"data": [1], "faxes": [1, {}]})], ids=str)
def test_an_answer_without_sense_teaches_nothing(server: HttpServer, make: Callable[[HttpServer], Any], answer: Answer) -> None:
    server.answer = lambda asked: answer
    assert make(server).poll("FX1") is None
    assert make(server).cancel("FX1") is False
    with pytest.raises(TransportDown):  # an empty list would say that it was never taken
        make(server).find("+14165550133", SINCE)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("answer", [Answer(500), Answer(503), Answer(429), Answer(408), Answer(401), Answer(403), "close", "hang",
                                    Answer(200, {"sid": "FX1", "data": [], "faxes": [], "status": "canceled"}, cut=True)], ids=str)
def test_a_provider_that_cannot_be_asked_is_told_from_one_that_knows_nothing(server: HttpServer, make: Callable[[HttpServer], Any],
                                                                             answer: Answer | str) -> None:
    server.answer = lambda asked: answer
    transport = make(server)
    transport._timeout = 0.3
    for ask in (lambda: transport.poll("FX1"), lambda: transport.find("+14165550133", SINCE), lambda: transport.cancel("FX1")):
        with pytest.raises(TransportDown) as raised:
            ask()
        assert raised.value.auth == (isinstance(answer, Answer) and answer.status in (401, 403))
        assert "5550133" not in str(raised.value)


def test_when_nobody_answers_a_provider_cannot_be_asked() -> None:
    for transport in (TwilioFaxTransport(f"http://127.0.0.1:{free_port()}/v1/Faxes", "AC1", "t", 1),
                      TelnyxFaxTransport("KEY", f"http://127.0.0.1:{free_port()}", "c", 1)):
        with pytest.raises(TransportDown):
            transport.poll("FX1")


def listed_twilio(rows: list[dict[str, Any]], **meta: Any) -> Answer:
    return Answer(200, {"faxes": rows, "meta": {"key": "faxes", **meta}})


def test_a_list_is_followed_page_by_page_in_both_spellings(server: HttpServer) -> None:
    pages = iter([listed_twilio([row("FX3")], next_page_url=f"{server.url}/v1/Faxes?Page=1&To=x"),
                  Answer(200, {"faxes": [row("FX2")], "next_page_uri": "/v1/Faxes?Page=2"}),
                  Answer(200, {"faxes": [row("FX1")], "next_page_uri": None})])
    server.answer = lambda asked: next(pages)
    assert [f["provider_ref"] for f in twilio(server).find("+14165550133", SINCE)] == ["FX3", "FX2", "FX1"]
    assert [a.path for a in server.asked][1:] == ["/v1/Faxes?Page=1&To=x", "/v1/Faxes?Page=2"]
    first = parse_qs(urlsplit(server.asked[0].path).query)
    assert (first["To"], first["DateCreatedAfter"], first["PageSize"]) == (["+14165550133"], ["2026-11-19T00:00:00Z"], ["100"])


@pytest.mark.parametrize("page", [
    Answer(200, {"faxes": [row(f"FX{n}") for n in range(100)]}), Answer(200, {"faxes": [row(f"FX{n}") for n in range(100)], "meta": {}}),
    Answer(200, {"faxes": [row(f"FX{n}") for n in range(50)], "page_size": 50}),
    listed_twilio([row("FX1")], next_page_url="https://elsewhere.example/v1/Faxes?Page=1"),
    listed_twilio([row("FX1")], next_page_url="/v1/Faxes?Page=1"), listed_twilio([row("FX1"), {"to": "+14165550133"}])],
    ids=["full", "full, no word of more", "the server's own page", "elsewhere", "for ever", "a row of nothing"])
def test_a_list_that_may_go_on_is_no_list(server: HttpServer, page: Answer) -> None:
    server.answer = lambda asked: page
    with pytest.raises(TransportDown):
        twilio(server).find("+14165550133", SINCE)
    assert len(server.asked) <= 20


def test_a_list_is_read_no_further_than_what_is_older(server: HttpServer) -> None:
    old = [row(f"FX{n}", date_created="2026-11-20T13:00:00Z") for n in range(99)]
    server.answer = lambda asked: Answer(200, {"faxes": [row("FX200"), *old]})
    assert [f["provider_ref"] for f in twilio(server).find("+14165550133", SINCE)] == ["FX200"]
    server.answer = lambda asked: Answer(200, {"faxes": [*old, row("FX200")]})  # in no order that would tell
    with pytest.raises(TransportDown):
        twilio(server).find("+14165550133", SINCE)


def test_telnyxs_pages_are_counted(server: HttpServer) -> None:
    pages = iter([Answer(200, {"data": [telnyx_row("a")], "meta": {"total_pages": 2}}),
                  Answer(200, {"data": [telnyx_row("b")], "meta": {"total_pages": 2}})])
    server.answer = lambda asked: next(pages)
    assert [f["provider_ref"] for f in telnyx(server).find("+14165550133", SINCE)] == ["a", "b"]
    asked = [parse_qs(urlsplit(a.path).query) for a in server.asked]
    assert [q["page[number]"] for q in asked] == [["1"], ["2"]]
    assert (asked[0]["filter[to][eq]"], asked[0]["filter[created_at][gte]"]) == (["+14165550133"], ["2026-11-20T14:00:00+00:00"])
    server.answer = lambda asked: Answer(200, {"data": [telnyx_row(str(n)) for n in range(100)]})
    with pytest.raises(TransportDown):
        telnyx(server).find("+14165550133", SINCE)


@pytest.mark.parametrize("where", [
    {"media_url": f"https://letters.example/media/{ATTEMPT}.tiff?e=1&s=x"}, {"original_media_url": f"https://letters.example/media/{ATTEMPT}.pdf"},
    {"status_callback": f"https://letters.example/hooks/twilio?a={ATTEMPT}"}])
def test_our_id_is_read_where_a_server_of_the_shape_lists_it(server: HttpServer, where: dict[str, str]) -> None:
    server.answer = lambda asked: listed_twilio([row("FX1", **where), row("FX2", media_url="https://media.example/FX2/Media"),
                                                 row("FX3", media_url="https://[broken"), row("FX4", status_callback="https://x.example/?a=1")])
    assert [(f["provider_ref"], f["attempt_id"]) for f in twilio(server).find("+14165550133", SINCE)] == [
        ("FX1", ATTEMPT), ("FX2", None), ("FX3", None), ("FX4", None)]


def test_telnyx_names_our_hook_where_it_lists_no_state(server: HttpServer) -> None:
    server.answer = lambda asked: Answer(200, {"data": [telnyx_row("a", client_state=None,
                                                                   webhook_url=f"https://letters.example/hooks/telnyx?a={ATTEMPT}")]})
    assert telnyx(server).find("+14165550133", SINCE)[0]["attempt_id"] == ATTEMPT


def test_a_number_is_the_same_however_it_is_written(server: HttpServer) -> None:
    server.answer = lambda asked: listed_twilio([row("FX1", to="1 (416) 555-0133")])
    assert len(twilio(server).find("+14165550133", SINCE)) == 1


@pytest.mark.parametrize("path", ["/v1/Faxes", f"{SIGNALWIRE}.json"])
def test_cancelling_is_asked_for_and_believed_when_it_is_confirmed(server: HttpServer, path: str) -> None:
    server.answer = lambda asked: Answer(200, row("FX1", "canceled"))
    assert twilio(server, path).cancel("FX1") is True
    [asked] = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", path.replace("Faxes", "Faxes/FX1"), b"Status=canceled")
    server.answer = lambda asked: Answer(200, row("FX1", "sending"))
    assert twilio(server, path).cancel("FX1") is False
    server.answer = lambda asked: Answer(400, {}) if asked.method == "POST" else Answer(200, row("FX1", "canceled"))
    assert twilio(server, path).cancel("FX1") is True, "it was cancelled already"


@pytest.mark.parametrize(("fax", "cancelled"), [({"status": "failed", "failure_reason": "sender_canceled"}, True),
                                                ({"status": "canceled"}, True), ({"status": "sending"}, False),
                                                ({"status": "delivered"}, False),
                                                ({"status": "failed", "failure_reason": "user_busy"}, False)])
def test_telnyxs_promise_to_cancel_is_looked_after(server: HttpServer, fax: dict[str, str], cancelled: bool) -> None:
    known = Answer(200, {"data": telnyx_row("x", **fax)})
    server.answer = lambda asked: Answer(202, {"data": {"result": "ok"}}) if asked.method == "POST" else known
    assert telnyx(server).cancel("x") is cancelled
    assert [(a.method, a.path) for a in server.asked] == [("POST", "/v2/faxes/x/actions/cancel"), ("GET", "/v2/faxes/x")]


def test_faxes_to_a_number_are_found_oldest_first(server: HttpServer) -> None:
    rows = [row("FX3", "delivered", date_created="Fri, 20 Nov 2026 14:09:00 +0000"), row("FX2"),
            row("FX0", date_created="2026-11-20T13:59:00Z"),
            row("FX9", to="+14165550199"), row("FX8", direction="inbound")]
    server.answer = lambda asked: Answer(200, {"faxes": rows})
    found = twilio(server).find("+14165550133", SINCE)
    assert [(f["provider_ref"], f["attempt_id"]) for f in found] == [("FX2", None), ("FX3", None)]
    assert found[0]["word"] is None
    assert found[1]["word"] and found[1]["word"].verdict is Verdict.DELIVERED
    assert parse_qs(urlsplit(server.asked[0].path).query)["To"] == ["+14165550133"]


def test_telnyx_lists_our_id_with_each_fax(server: HttpServer) -> None:
    server.answer = lambda asked: Answer(200, {"data": [telnyx_row("a", "failed"), telnyx_row("b", client_state=None),
                                                        telnyx_row("c", to="+1")]})
    assert [(f["provider_ref"], f["attempt_id"]) for f in telnyx(server).find("+14165550133", SINCE)] == [("a", ATTEMPT),
                                                                                                          ("b", None)]


@pytest.mark.parametrize("url", ["not a url", "http://", "http://127.0.0.1:99999/v1/Faxes", "ftp://127.0.0.1/x"])
def test_a_url_that_is_none_starts_nothing(url: str) -> None:
    with TwilioFaxTransport(url, "AC1", "t", 1).connect() as session:
        assert isinstance(session.hand_over(fax()), NotStarted)


def test_the_proxy_of_the_environment_has_no_part_in_loopback(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    server.answer = lambda asked: Answer(201, row("FX1")) if b"MediaUrl" in asked.body else Answer(202,
                                                                                                   {"data": telnyx_row("fax-1")})
    for make in MAKERS:
        with make(server).connect() as session:
            assert isinstance(session.hand_over(fax()), Accepted)


def test_nothing_is_logged_that_names_a_number(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    server.answer = lambda asked: Answer(201, row("FX1"))
    with twilio(server).connect() as session:
        session.hand_over(fax())
    server.answer = lambda asked: listed_twilio([row("FX1")])
    twilio(server).find("+14165550133", SINCE)
    assert "5550133" not in caplog.text


def test_a_slash_at_the_end_of_the_url_does_no_harm(server: HttpServer) -> None:
    server.answer = lambda asked: Answer(200, row("FX1", "delivered"))
    assert twilio(server, "/v1/Faxes/").poll("FX1")
    assert server.asked[0].path == "/v1/Faxes/FX1"
