"""The report to print: one time zone, the campaign's, and counts that say what they count."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pypdfium2 as pdfium

from outreach.render.report import Day, Office, report_pdf
from outreach.services.reports_pdf import document
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk


def text_of(made: bytes) -> str:
    """All pages' words, in the order of the file."""
    file = pdfium.PdfDocument(made)
    try:
        return "\n".join(page.get_textpage().get_text_range() for page in file)
    finally:
        file.close()


def test_days_and_times_are_of_the_campaigns_zone(desk: Desk) -> None:
    """In St. John's, three and a half hours behind, 03:29 is still yesterday and 03:30 is not."""
    desk.now = datetime(2026, 11, 24, 3, 29, 59, tzinfo=UTC)
    desk.campaign(targets=(replace(COMMISSIONER, timezone="America/St_Johns"), replace(COUNCIL, timezone="Asia/Tokyo")),
                  deadline=datetime(2026, 11, 30, 21, 30, tzinfo=UTC))
    desk.set(confirm="none")
    desk.write(targets=("commissioner", "council"))
    desk.later(seconds=1)
    desk.write()
    found = document("night-bus", now=desk.now)
    assert found.days == [Day("2026-11-23", 2, 0, 0), Day("2026-11-24", 1, 0, 0)]
    assert found.lead == ["Online since 23 November 2026.", "Deadline: 30 November 2026, 18:00 St Johns time."]
    assert len(found.forecast) == 2 and all("Tuesday 00:0" in line for line in found.forecast), found.forecast
    said = " ".join(text_of(report_pdf(found)).split())
    assert "as of 2026-11-24 00:00 St Johns time" in said and "All days and times are St Johns time." in said and "UTC" not in said


def test_waiting_is_what_is_queued_and_all_else_is_named(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(moderation="edited")
    desk.write()
    desk.write(body="Keep it, please.")
    desk.set(confirm="email")
    desk.write()
    assert document("night-bus", now=desk.now).targets == [
        Office("Transit Commissioner", "e-mail", (3, 0, 0, 1), "1 not confirmed yet, 1 held for a moderator")]
