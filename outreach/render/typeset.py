"""typst, kept warm: one compiler a process, one document at a time.

typst works with threads of its own, which a fork does not take along: in a child that was forked after its parent had typeset
something, it would wait for them for ever. Such a child hands each document to a fresh interpreter instead: slower by a tenth of
a second, but it never hangs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import lru_cache
from typing import Any

import typst

from outreach.render.files import template_dir
from outreach.render.fonts import font_files
from outreach.render.template import CannotRender

_HELPER_SECONDS = 60
_lock = threading.Lock()
_used = False
_forked_late = False


class CannotTypeset(CannotRender):
    """typst refused the document. Always a defect of ours: what people type is data and cannot be wrong."""


def typeset(content: str, stamp: int, template: str = "letter") -> bytes:
    """The PDF that `templates/fax/{template}.typ` makes of `content` (JSON); the same bytes for the same arguments.

    `stamp` is the document's time in Unix seconds. Safe to call from several threads. Raises CannotTypeset.
    """
    global _used
    with _lock:
        if _forked_late:
            return _in_a_helper(content, stamp, template)
        _used = True
        try:
            made: bytes = _compiler(template).compile(format="pdf", sys_inputs={"letter": content}, timestamp=stamp)
        except typst.TypstError as e:
            raise CannotTypeset(f"the page could not be typeset: {e.message[:200]}") from e
    return made


@lru_cache(maxsize=4)
def _compiler(template: str) -> Any:
    folder = template_dir() / "fax"
    # A file, not bytes: typst-py finds bytes only on a compiler's first compilation.
    return typst.Compiler(str(folder / f"{template}.typ"), root=str(folder), font_paths=_fonts(), ignore_system_fonts=True)


@lru_cache(maxsize=1)
def _fonts() -> Any:
    folders = sorted({str(path.parent) for path in font_files()})
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)


def _in_a_helper(content: str, stamp: int, template: str) -> bytes:
    done = subprocess.run([sys.executable, "-m", __name__, str(stamp), template], input=content.encode(), capture_output=True, check=False,
                          timeout=_HELPER_SECONDS)
    if done.returncode:
        raise CannotTypeset("the page could not be typeset by a helper process")
    return done.stdout


def _after_fork() -> None:
    global _lock, _forked_late
    _lock = threading.Lock()  # the parent may have held it
    _forked_late = _forked_late or _used


os.register_at_fork(after_in_child=_after_fork)

if __name__ == "__main__":
    sys.stdout.buffer.write(typeset(sys.stdin.read(), int(sys.argv[1]), sys.argv[2]))
