"""PDF to what a fax machine sends: 1728 pixels wide, 204×196 dots an inch, black and white, group 4."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image, ImageSequence

WIDTH = 1728
ACROSS, DOWN = 204, 196
MAX_PAGES = 60
_POINTS = 72
_BLACK_BELOW = 160
_LONGEST = 4300
"""Rows of the longest page: a little over US legal paper twice."""
_ROWS_PER_STRIP = 278


class BadMedia(ValueError):
    """The bytes are no PDF or TIFF that can be read; the text says what is wrong."""


def pages_of_pdf(pdf: bytes) -> list[Image.Image]:
    """Raises BadMedia."""
    import pypdfium2  # a TIFF's call starts sooner without it

    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as e:
        raise BadMedia("the media is not a PDF that can be read") from e
    if not 0 < len(document) <= MAX_PAGES:
        raise BadMedia(f"the PDF has {len(document)} pages; a fax has 1 to {MAX_PAGES}")
    pages = []
    for page in document:
        width, height = page.get_size()
        rows = round(height * WIDTH / width * DOWN / ACROSS)
        if not 0 < rows <= _LONGEST:
            raise BadMedia("a page of the PDF is too long for a fax")
        grey = page.render(scale=WIDTH / width, grayscale=True).to_pil()
        pages.append(grey.resize((WIDTH, rows), Image.Resampling.BOX).point(lambda v: 255 if v >= _BLACK_BELOW else 0, "1"))
    return pages


def write_tiff(pages: list[Image.Image], path: Path) -> None:
    first, *rest = pages
    first.save(path, format="TIFF", save_all=True, append_images=rest, compression="group4", dpi=(ACROSS, DOWN),
               tiffinfo={_ROWS_PER_STRIP: max(p.height for p in pages)})


def pages_of_tiff(tiff: bytes | Path) -> list[Image.Image]:
    """Raises BadMedia."""
    try:
        with Image.open(BytesIO(tiff) if isinstance(tiff, bytes) else tiff, formats=["TIFF"]) as image:
            return [frame.copy() for frame in ImageSequence.Iterator(image)]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
        raise BadMedia("the media is not a TIFF that can be read") from e


def is_pdf(media: bytes) -> bool:
    return media[:1024].lstrip().startswith(b"%PDF-")


def is_tiff(media: bytes) -> bool:
    return media[:4] in (b"II*\0", b"MM\0*")
