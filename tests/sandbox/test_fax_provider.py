"""The Twilio-shaped fax provider: its wire shape, its calls, and the signed words it posts about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageSequence
from twilio.request_validator import RequestValidator

from outreach.errors import NotFound
from outreach.sandbox import hooks, store
from outreach.sandbox.magic import FAX
from outreach.settings import Settings
from tests.sandbox.conftest import Running, Service, dense_pages, save_tiff, until

pytestmark = pytest.mark.needs("spandsp")
FINE = "+14165550133"


@pytest.fixture
def media(service: Service, tmp_path: Path) -> str:
    service.media["/fax/1.tiff"] = save_tiff(dense_pages(1), tmp_path / "one.tiff").read_bytes()
    return service.url + "/fax/1.tiff"


def callback(service: Service) -> str:
    return service.url + "/hooks/twilio?a=attempt-1"


def test_a_fax_is_fetched_called_kept_and_told_in_order(sandbox: Running, service: Service, media: str) -> None:
    sid = sandbox.send_fax(FINE, media, callback(service))
    ended = sandbox.final(sid)
    assert (ended["status"], ended["num_pages"], ended["to"], ended["direction"]) == ("delivered", 1, FINE, "outbound")
    assert ended["remote_station_id"] == FINE
    until(lambda: service.statuses(sid) == ["processing", "sending", "delivered"])
    last = service.hooks[-1]
    assert last.path == "/hooks/twilio?a=attempt-1"
    assert last.form["NumPages"] == "1"
    assert last.form["RemoteStationId"] == FINE
    assert "ErrorCode" not in last.form
    (kept,) = store.outbox(sandbox.settings)
    assert (kept.kind, kept.to, kept.status, kept.pages, kept.attempt_id) == ("fax", FINE, "delivered", 1, "attempt-1")
    assert kept.t30["real_call"] is True
    assert kept.t30["bit_rate"] == 14400


def test_three_pages_arrive_pixel_for_pixel_and_show_as_pictures(sandbox: Running, service: Service, tmp_path: Path) -> None:
    pages = dense_pages(3)
    service.media["/fax/3.tiff"] = save_tiff(pages, tmp_path / "three.tiff").read_bytes()
    sid = sandbox.send_fax(FINE, service.url + "/fax/3.tiff")
    assert sandbox.final(sid)["num_pages"] == 3
    with Image.open(BytesIO(store.received_tiff(sandbox.settings, sid))) as got:
        assert [p.convert("1").tobytes() for p in ImageSequence.Iterator(got)] == [p.tobytes() for p in pages]
    pictures = [Image.open(BytesIO(png)) for png in store.fax_pages(sandbox.settings, sid)]
    assert [(p.format, p.size) for p in pictures] == [("PNG", (864, 1122))] * 3, "as tall as on paper"


@pytest.mark.parametrize(("number", "status", "code"), [
    ("+14165550171", "busy", ""), ("+14165550172", "no-answer", "2"), ("+14165550173", "failed", "2"),
    ("+14165550174", "failed", "21"), ("+14165550175", "delivered", None), ("+14165550177", "delivered", None)])
def test_magic_numbers_end_as_their_table_says(sandbox: Running, service: Service, media: str, number: str, status: str,
                                               code: str | None) -> None:
    sid = sandbox.send_fax(number, media, callback(service))
    ended = sandbox.final(sid)
    assert ended["status"] == status
    until(lambda: service.statuses(sid) == ["processing", "sending", status])
    assert service.hooks[-1].form.get("ErrorCode") == code
    said = service.hooks[-1].form.get("ErrorMessage", "")
    assert bool(said) == (code is not None)
    assert ("voice" in said) == (number.endswith("0173"))
    kept = store.fax(sandbox.settings, sid)
    if status == "delivered":
        assert len(store.fax_pages(sandbox.settings, sid)) == 1
        assert (kept.t30["retries"] > 0) == number.endswith("0175")
    else:
        assert kept.pages == 0
        with pytest.raises(NotFound):
            store.fax_pages(sandbox.settings, sid)


def test_busy_twice_is_fine_the_third_time(sandbox: Running, media: str) -> None:
    assert [sandbox.final(sandbox.send_fax("+14165550176", media))["status"] for _ in range(3)] == ["busy", "busy", "delivered"]


def test_every_magic_number_has_an_explanation() -> None:
    assert sorted(FAX) == [f"017{n}" for n in range(1, 8)]
    assert all(number.what for number in FAX.values())


def test_callbacks_are_signed_as_twilio_signs(sandbox: Running, service: Service, media: str) -> None:
    sid, token = hooks.sandbox_credentials(sandbox.settings)
    fax = sandbox.send_fax("+14165550171", media, callback(service))
    until(lambda: "busy" in service.statuses(fax))
    for hook in service.hooks:
        validator = RequestValidator(token)
        assert validator.validate(service.url + hook.path, hook.form, hook.headers["x-twilio-signature"])
        assert hook.headers["x-signalwire-signature"] == hook.headers["x-twilio-signature"]
        assert not validator.validate(service.url + hook.path, {**hook.form, "FaxStatus": "delivered"}, hook.headers["x-twilio-signature"])
        assert hook.form["AccountSid"] == sid


def test_a_callback_is_repeated_while_the_service_is_down_and_keeps_its_order(sandbox: Running, service: Service, media: str) -> None:
    service.answers = [503, 503, 204, 500]
    fax = sandbox.send_fax("+14165550171", media, callback(service))
    until(lambda: service.statuses(fax) == ["processing", "sending", "busy"])


def test_one_number_has_one_call_at_a_time(sandbox: Running, service: Service, media: str) -> None:
    both = [sandbox.send_fax("+14165550177", media, callback(service)) for _ in range(2)]
    seen: list[list[str]] = []

    def ended() -> bool:  # one of them before and after the other: a call under way at both times was so all the time between
        seen.append([sandbox.fax(one)["status"] for one in (*both, both[0])])
        return seen[-1] == ["delivered"] * 3

    until(ended)
    assert any("sending" in states for states in seen)
    assert ["sending"] * 3 not in seen
    until(lambda: all(sorted(service.statuses(one)) == ["delivered", "processing", "sending"] for one in both))


def test_a_waiting_fax_can_be_cancelled_and_a_finished_one_deleted(sandbox: Running, service: Service, media: str) -> None:
    slow = sandbox.send_fax("+14165550177", media)
    until(lambda: sandbox.fax(slow)["status"] == "sending")
    waiting, other = (sandbox.send_fax("+14165550177", media, callback(service)) for _ in range(2))
    assert sandbox.api.post(f"/v1/Faxes/{waiting}", data={"Status": "canceled"}).json()["status"] == "canceled"
    assert sandbox.api.delete(f"/v1/Faxes/{other}").status_code == 204
    assert sandbox.fax(other)["status"] == "canceled"
    assert sandbox.api.delete(f"/v1/Faxes/{slow}").status_code == 409
    until(lambda: "canceled" in service.statuses(waiting))
    assert sandbox.final(slow)["status"] == "delivered"
    assert sandbox.api.post(f"/v1/Faxes/{slow}", data={"Status": "canceled"}).status_code == 400
    assert sandbox.api.delete(f"/v1/Faxes/{slow}").status_code == 204
    assert sandbox.api.get(f"/v1/Faxes/{slow}").status_code == 404
    with pytest.raises(NotFound):
        store.received_tiff(sandbox.settings, slow)
    assert "sending" not in service.statuses(waiting)


def test_both_paths_and_the_json_suffix_show_the_same_fax(sandbox: Running, media: str) -> None:
    account, _ = hooks.sandbox_credentials(sandbox.settings)
    laml = f"/api/laml/2010-04-01/Accounts/{account}/Faxes"
    made = sandbox.api.post(laml + ".json", data={"To": FINE, "From": "+14165550100", "MediaUrl": media})
    assert made.status_code == 201
    sid = made.json()["sid"]
    assert made.json()["account_sid"] == account
    sandbox.final(sid)
    assert sandbox.api.get(f"{laml}/{sid}").json() == sandbox.api.get(f"{laml}/{sid}.json").json() == sandbox.fax(sid)
    assert [f["sid"] for f in sandbox.api.get(laml, params={"To": FINE}).json()["faxes"]] == [sid]
    assert sandbox.api.get(laml.replace(account, "AC" + "0" * 32)).status_code == 401


def test_a_list_can_be_asked_by_number_and_time(sandbox: Running, media: str) -> None:
    first = sandbox.send_fax("+14165550171", media)
    second = sandbox.send_fax(FINE, media)
    sandbox.final(first), sandbox.final(second)

    def listed(**query: str) -> list[str]:
        return [f["sid"] for f in sandbox.api.get("/v1/Faxes", params=query).json()["faxes"]]

    assert listed() == [second, first]
    assert listed(To=FINE) == [second]
    assert listed(PageSize="1") == [second]
    assert listed(PageSize="1", Page="1") == [first]
    hour = timedelta(hours=1)
    assert listed(DateCreatedAfter=(datetime.now(UTC) - hour).isoformat()) == [second, first]
    assert listed(DateCreatedAfter=(datetime.now(UTC) + hour).isoformat()) == []
    assert sandbox.api.get("/v1/Faxes", params={"DateCreatedAfter": "yesterday"}).status_code == 400
    assert sandbox.api.get("/v1/Faxes", params={"PageSize": "many"}).status_code == 400


@pytest.mark.parametrize("wrong", [{"To": "0416"}, {"To": ""}, {"From": "Jane"}, {"MediaUrl": "ftp://x.example/"}, {"MediaUrl": ""},
                                   {"Quality": "best"}, {"Ttl": "0"}, {"Ttl": "²"}, {"StatusCallback": "javascript:x"}])
def test_a_wrong_form_is_refused_with_a_code_and_nothing_is_kept(sandbox: Running, media: str, wrong: dict[str, str]) -> None:
    answer = sandbox.api.post("/v1/Faxes", data={"To": FINE, "From": "+14165550100", "MediaUrl": media, **wrong})
    assert answer.status_code == 400
    assert answer.json()["code"] > 20000
    assert answer.json()["message"]
    assert store.outbox(sandbox.settings) == []


def test_wrong_credentials_are_refused(sandbox: Running, media: str) -> None:
    for auth in (None, ("AC0", "x"), (hooks.sandbox_credentials(sandbox.settings)[0], "wrong")):
        answer = httpx.post(f"http://127.0.0.1:{sandbox.ports.http}/v1/Faxes", auth=auth, trust_env=False,
                            data={"To": FINE, "From": "+14165550100", "MediaUrl": media})
        assert answer.status_code == 401
    assert store.outbox(sandbox.settings) == []


def test_media_that_cannot_be_had_fails_the_fax_and_redirects_are_not_followed(sandbox: Running, service: Service, media: str) -> None:
    service.redirects["/elsewhere"] = media
    for url in (service.url + "/missing", service.url + "/elsewhere", "http://127.0.0.1:9/refused", "http://far.example/fax.tiff"):
        ended = sandbox.final(sandbox.send_fax(FINE, url))
        assert ended["status"] == "failed"
        assert ended["error_code"] == 11200
        assert ended["error_message"]


def test_ids_from_the_outside_reach_no_other_file(sandbox: Running, settings: Settings) -> None:
    (settings.data_dir / "sandbox" / "secret.tiff").write_bytes(b"secret")
    for wrong in ("../secret", "FX../../secret", "", "FX" + "0" * 32, "FX" + "0" * 31 + "\n", "x/y"):
        for ask in (store.fax, store.mail, store.fax_pages, store.received_tiff):
            with pytest.raises(NotFound):
                ask(settings, wrong)
