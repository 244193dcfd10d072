"""Charts as SVG: to scale, in order, nothing of a style of their own."""

from __future__ import annotations

import re

import pytest

from outreach.web import charts
from outreach.web.charts import Band

BANDS = (Band("arrived", "delivered"), Band("waits", "waiting"))
RECT = re.compile(r'<rect class="fill-(\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/>')


@pytest.mark.parametrize(("highest", "top"), [
    (0, 2), (1, 2), (7, 8), (9, 10), (11, 20), (41, 60), (99, 100), (2600, 4000), (1_000_000, 1_000_000)])
def test_an_axis_ends_at_a_round_number_that_has_a_half(highest: int, top: int) -> None:
    assert charts.top_of(highest) == top and top % 2 == 0


def test_stacked_bands_lie_on_top_of_each_other_to_scale() -> None:
    svg = str(charts.stacked([(0, 0), (30, 10)], BANDS, ["one", "two"], 'Said "so"'))
    assert 'aria-label="Said &#34;so&#34;"' in svg and "style" not in svg
    (low, _, y1, _, h1), (high, _, y2, _, h2) = RECT.findall(svg)
    assert (low, high) == ("arrived", "waits")
    full = charts.HEIGHT - charts.TOP - charts.BOTTOM
    assert float(h1) == pytest.approx(full * 30 / 40, abs=0.2) and float(h2) == pytest.approx(full * 10 / 40, abs=0.2)
    assert float(y1) + float(h1) == pytest.approx(charts.HEIGHT - charts.BOTTOM, abs=0.2)
    assert float(y2) + float(h2) == pytest.approx(float(y1), abs=0.2)


def test_what_is_there_is_seen_however_little_and_the_last_column_has_its_word() -> None:
    labels = [f"{n}:00" for n in range(24)]
    svg = str(charts.beside([(1, 0)] + [(10_000, 5_000)] * 23, BANDS, labels, "x"))
    assert float(RECT.findall(svg)[0][4]) >= 0.5 and ">23:00<" in svg and svg.count("<text") <= charts.LABELS + 3


def test_a_share_bar_is_full_and_leaves_out_what_is_not_there() -> None:
    svg = str(charts.share_bar([("arrived", 3), ("gone", 0), ("waits", 1)], "words"))
    parts = re.findall(r'fill-(\w+)" x="([\d.]+)%" width="([\d.]+)%"', svg)
    assert parts == [("arrived", "0.00", "75.00"), ("waits", "75.00", "25.00")]
    assert charts.share_bar([("arrived", 0)], "words") == ""
