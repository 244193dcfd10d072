"""PDF pages as pictures: what a fax machine is sent, and what a screen shows.

1728 dots at 204 × 196 dots an inch is what every Group 3 machine knows as "fine" (ITU-T T.4, T.30).
"""

from __future__ import annotations

import io
import os
import threading

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image

WIDTH = 1728
DPI = (204, 196)
HEIGHT = 11 * DPI[1]
INK = 168
"""Grey (0 black, 255 white) up to which a dot is printed: a little above the middle, which keeps the thin strokes of small type."""
_TABLE = [0 if grey <= INK else 255 for grey in range(256)]
_SHADES = [(grey + 8) // 17 for grey in range(256)]
_ROWS_PER_STRIP = 278

_lock = threading.Lock()  # pdfium is not thread-safe, not even over different documents


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def tiff_of(pdf: bytes) -> bytes:
    """The pages as a TIFF that goes over the line dot by dot: 1728 wide, 204 × 196 dpi, Group 4, one strip a page.

    Grey is cut at a threshold, never dithered: dithering frays letters and takes three times the line time.
    """
    # PhotometricInterpretation (262) is left to Pillow: given here, it packs a page forty times slower.
    pages = [grey.point(_TABLE, "1") for grey in _drawn(pdf)]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", compression="group4", save_all=True, append_images=pages[1:], dpi=DPI, tiffinfo={_ROWS_PER_STRIP: HEIGHT})
    return out.getvalue()


def pngs_of(pdf: bytes, width: int = 816) -> list[bytes]:
    """The pages as PNG pictures of so many pixels' width, drawn smoothly, for a screen."""
    found = []
    for grey in _drawn(pdf, width):
        out = io.BytesIO()
        shades = Image.frombytes("P", grey.size, grey.point(_SHADES).tobytes())
        shades.putpalette([value for shade in range(16) for value in (shade * 17,) * 3])
        shades.save(out, "PNG", bits=4)
        found.append(out.getvalue())
    return found


def page_count(pdf: bytes) -> int:
    """How many pages a PDF has."""
    with _lock:
        document = pdfium.PdfDocument(pdf)
        try:
            return len(document)
        finally:
            document.close()


def _drawn(pdf: bytes, width: int | None = None) -> list[Image.Image]:
    """Each page in grey: in the fax's raster, or with square dots at a given width."""
    with _lock:
        document = pdfium.PdfDocument(pdf)
        try:
            return [_draw(page, width or WIDTH, round(width * page.get_height() / page.get_width()) if width else HEIGHT)
                    for page in document]
        finally:
            document.close()


def _draw(page: pdfium.PdfPage, width: int, height: int) -> Image.Image:
    bitmap = pdfium.PdfBitmap.new_native(width, height, pdfium_c.FPDFBitmap_Gray)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
    # Straight into a raster of other dots an inch across than down: no second scaling, which would blur.
    pdfium_c.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, 0)
    picture: Image.Image = bitmap.to_pil().copy()
    return picture
