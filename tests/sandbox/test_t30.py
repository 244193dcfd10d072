"""The T.30 call itself: what goes in comes out, and each fault of the line has its real result."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageSequence

from outreach.sandbox import call, machine, raster, t30
from outreach.sandbox.line import Fault
from tests.sandbox.conftest import dense_pages, save_tiff

CALLER, CALLED = "+14165550100", "+14165550133"
pytestmark = pytest.mark.needs("spandsp")


def pixels(tiff: Path) -> list[bytes]:
    with Image.open(tiff) as image:
        return [page.convert("1").tobytes() for page in ImageSequence.Iterator(image)]


@pytest.mark.parametrize("count", [1, 3])
def test_what_arrives_is_pixel_for_pixel_what_was_handed_over(tmp_path: Path, count: int) -> None:
    pages = dense_pages(count)
    sent = save_tiff(pages, tmp_path / "sent.tiff")
    result = t30.call(sent, tmp_path / "got.tiff", caller=CALLER, called=CALLED)
    assert (result.code, result.answer_code, result.pages, result.ecm) == (0, 0, count, True)
    assert (result.caller_ident, result.remote_ident) == (CALLER, CALLED)
    assert result.bit_rate == 14400
    assert pixels(tmp_path / "got.tiff") == [p.tobytes() for p in pages]


@pytest.mark.parametrize("count", [1, 3])
def test_a_noisy_line_costs_repeats_but_not_a_pixel(tmp_path: Path, count: int) -> None:
    pages = dense_pages(count)
    result = t30.call(save_tiff(pages, tmp_path / "sent.tiff"), tmp_path / "got.tiff", caller=CALLER, called=CALLED, fault=Fault.NOISE)
    assert (result.code, result.pages) == (0, count)
    assert result.retries > 0
    assert pixels(tmp_path / "got.tiff") == [p.tobytes() for p in pages]


def test_a_line_that_drops_in_mid_page_fails_at_both_ends(tmp_path: Path) -> None:
    sent = save_tiff(dense_pages(1), tmp_path / "sent.tiff")
    result = t30.call(sent, tmp_path / "got.tiff", caller=CALLER, called=CALLED, fault=Fault.DROP)
    assert result.code not in (0, -1)
    assert result.answer_code not in (0, -1)
    assert result.remote_ident == CALLED, "the machines had shaken hands before"
    assert result.pages == 0


@pytest.mark.parametrize("fault", [Fault.NO_ANSWER, Fault.VOICE])
def test_without_a_machine_at_the_other_end_the_caller_gives_up_by_its_own_timer(tmp_path: Path, fault: Fault) -> None:
    sent = save_tiff(dense_pages(1), tmp_path / "sent.tiff")
    result = t30.call(sent, tmp_path / "got.tiff", caller=CALLER, called=CALLED, fault=fault)
    assert result.code == 2
    assert result.line_seconds > 30
    assert not (tmp_path / "got.tiff").exists()


def test_an_empty_page_arrives_too_and_a_drop_hits_even_that(tmp_path: Path) -> None:
    sent = save_tiff([Image.new("1", (1728, 2156), 1)], tmp_path / "sent.tiff")
    assert t30.call(sent, tmp_path / "got.tiff", caller=CALLER, called=CALLED).code == 0
    assert t30.call(sent, tmp_path / "half.tiff", caller=CALLER, called=CALLED, fault=Fault.DROP).code != 0


def test_a_tiff_of_the_wrong_width_is_the_machines_error_not_a_crash(tmp_path: Path) -> None:
    page = Image.new("1", (1000, 1000), 1)
    page.save(tmp_path / "sent.tiff", compression="group4", dpi=(204, 196))
    ended = asyncio.run(machine.dial(tmp_path / "sent.tiff", tmp_path / "got.tiff", caller=CALLER, called=CALLED))
    assert ended.status == "failed"
    assert ended.real_call
    assert ended.code not in (None, 0)


@pytest.mark.parametrize("media", [b"", b"hello", b"%PDF-1.7 and no more", b"II*\0\xff\xff\xff\x7f"])
def test_media_that_is_no_fax_fails_with_a_reason(tmp_path: Path, media: bytes) -> None:
    (tmp_path / "media").write_bytes(media)
    ended = asyncio.run(machine.dial(tmp_path / "media", tmp_path / "got.tiff", caller=CALLER, called=CALLED))
    assert ended.status == "failed"
    assert ended.error_code
    assert ended.message


def test_a_pdf_is_made_into_fax_pages_before_the_call(tmp_path: Path) -> None:
    pages = [p.convert("L").resize((847, 1100)) for p in dense_pages(2)]
    pages[0].save(tmp_path / "letter.pdf", save_all=True, append_images=pages[1:], resolution=100)
    expected = raster.pages_of_pdf((tmp_path / "letter.pdf").read_bytes())
    ended = asyncio.run(machine.dial(tmp_path / "letter.pdf", tmp_path / "got.tiff", caller=CALLER, called=CALLED))
    assert (ended.status, ended.pages, ended.real_call) == ("delivered", 2, True)
    assert pixels(tmp_path / "got.tiff") == [p.tobytes() for p in expected]
    assert expected[0].size == (1728, 2156)
    assert 0.02 < expected[0].convert("L").histogram()[0] / (1728 * 2156) < 0.5, "there is ink on it"


def test_a_call_whose_process_is_killed_is_failed_and_never_hangs(tmp_path: Path) -> None:
    sent = save_tiff(dense_pages(20), tmp_path / "sent.tiff")

    async def killed() -> machine.Call:
        dialling = asyncio.create_task(machine.dial(sent, tmp_path / "got.tiff", caller=CALLER, called=CALLED))
        mine = psutil.Process()
        while not (children := [c for c in mine.children() if "outreach.sandbox.call" in c.cmdline()]):
            await asyncio.sleep(0.005)
        os.kill(children[0].pid, signal.SIGKILL)
        return await asyncio.wait_for(dialling, 10)

    ended = asyncio.run(killed())
    assert ended.status == "failed"
    assert "signal 9" in ended.message


def test_a_call_that_takes_too_long_is_hung_up(tmp_path: Path) -> None:
    sent = save_tiff(dense_pages(20), tmp_path / "sent.tiff")
    ended = asyncio.run(machine.dial(sent, tmp_path / "got.tiff", caller=CALLER, called=CALLED, time_limit=0.05))
    assert ended.status == "failed"
    assert not [c for c in psutil.Process().children() if "outreach.sandbox.call" in c.cmdline()]


def test_without_the_library_the_pages_are_decoded_and_the_result_says_so(tmp_path: Path) -> None:
    pages = dense_pages(2)
    result = call.without_library(save_tiff(pages, tmp_path / "sent.tiff"), tmp_path / "got.tiff", CALLED)
    assert pixels(tmp_path / "got.tiff") == [p.tobytes() for p in pages]
    ended = machine.outcome(result, Fault.NONE)
    assert (ended.status, ended.pages, ended.real_call) == ("delivered", 2, False)
    assert "libspandsp" in ended.notice
    assert machine.outcome(result, Fault.NO_ANSWER).status == "no-answer"
    assert machine.outcome(result, Fault.DROP).status == "failed"
