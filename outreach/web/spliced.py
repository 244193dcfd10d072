"""A page that is rendered and compressed once, and then served many times with a fresh token in one place.

The gzip form is put together from pieces: the part before the token and the part after it are compressed once and end on a
byte boundary (a full flush, RFC 1951 3.2.4 and 3.2.3), the token stands between them in a stored block, and only the checksum
is computed anew. A request costs tens of microseconds instead of a rendering.
"""

from __future__ import annotations

import struct
import zlib

MARK = "00token-goes-here00"
"""What the template is given for a token; must occur once."""

_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03"
_LAST = b"\x03\x00"
"""An empty final block."""


class Spliced:
    """`page` with `MARK` in it, ready to be served plain or gzipped; one without a form (`token=False`) has none, and gets none."""

    def __init__(self, page: str, *, token: bool = True) -> None:
        before, mark, after = page.partition(MARK)
        if bool(mark) is not token or MARK in after:
            raise ValueError("the page must hold its mark exactly once, or not at all")
        self._token = token
        self._before, self._after = before.encode(), after.encode()
        self._packed_before, self._packed_after = _pack(self._before), _pack(self._after)
        self._crc_before = zlib.crc32(self._before)

    def plain(self, token: str) -> bytes:
        """The page's bytes."""
        return b"".join((self._before, self._raw(token), self._after))

    def gzipped(self, token: str) -> bytes:
        """The same, as one gzip member (RFC 1952)."""
        raw = self._raw(token)
        stored = struct.pack("<BHH", 0, len(raw), len(raw) ^ 0xFFFF) + raw
        crc = zlib.crc32(self._after, zlib.crc32(raw, self._crc_before))
        size = (len(self._before) + len(raw) + len(self._after)) & 0xFFFFFFFF
        return b"".join((_HEAD, self._packed_before, stored, self._packed_after, _LAST, struct.pack("<II", crc, size)))

    def _raw(self, token: str) -> bytes:
        return token.encode("ascii") if self._token else b""


def _pack(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)
