"""Logs: one JSON object a line (pretty on a terminal), with ids of campaigns and letters and without personal data.

What may be logged is a list of keys, not a list of secrets: text under a key that is not in `KNOWN` is withheld, and
whatever looks like an e-mail address, a telephone number or a network address is masked wherever it stands. Other
libraries' logs go the same way. Tracebacks keep types, files and lines, of messages only what cannot be anybody's data.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import IO, Any, cast
from urllib.parse import unquote

import structlog
from structlog.typing import EventDict, Processor

KNOWN = frozenset("""
    event level logger timestamp error exception why outcome auth
    campaign letter attempt submission lane address target notice receipt report organizer version wave
    channel provider transport queue job worker child step process pid host port slot
    state before after reason verdict kind action setting path method status language
    count letters mails faxes total due waiting claimed sent delivered failed refused unknown requeued expired orphans pages bytes places
    moved ended asked cancelled left
    seconds milliseconds until at since delay place window tries size limit revision code signal uptime changed webhook
""".split())
"""Keys whose text may be logged. `address` is the row's id, never its value."""

_EMAIL = re.compile(r"[^\s<>\"'@,;:()\[\]]+@[^\s<>\"'@,;()\[\]]+")
_NUMBER = re.compile(r"(?<![\w])\+?\(?\d[\d ().\-/]{5,}\d(?![\w])")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}(?::?[0-9a-fA-F]{1,4})?(?![\w:])")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")
_QUOTED = re.compile(r"(['\"`])(?![a-z][a-z0-9_.]*\1)(?:(?!\1).)*\1")
_TOKEN = re.compile(r"[A-Za-z0-9_.=~-]{20,}")
_SECRET_PREFIXES = frozenset({"s", "m", "login", "media", "confirm", "invite", "u"})
_LONGEST = 300
_ACCESS_FIELDS = 5
"""client, method, path, HTTP version, status"""
_CHATTY = frozenset({"aiosmtpd", "alembic", "asyncio", "fontTools", "httpcore", "httpx", "mail", "multipart", "python_http_client",
                     "python_multipart", "rq", "sendgrid", "twilio", "urllib3"})
"""Libraries that log whole requests, envelopes or each job below WARNING. Held at the handler: some set their own level."""


def masked(text: str) -> str:
    """`text` with e-mail addresses, telephone numbers (7 to 15 digits) and network addresses replaced, shortened."""
    def number(found: re.Match[str]) -> str:
        digits = sum(c.isdigit() for c in found[0])
        return found[0] if not 7 <= digits <= 19 or _DAY.match(found[0]) else "[number]"
    return _IPV6.sub("[network]", _NUMBER.sub(number, _EMAIL.sub("[e-mail]", text)))[:_LONGEST]


def masked_path(path: str) -> str:
    """A request's path without its query and without tokens: `/s/…`, `/m/…`; slugs and file names stay."""
    parts = path.partition("?")[0].split("/")
    for i, part in enumerate(parts):
        before = parts[i - 1] if i else ""
        if part and (before in _SECRET_PREFIXES or (_TOKEN.fullmatch(part) and before not in ("c", "static"))):
            parts[i] = "…" + (".json" if part.endswith(".json") else "")
    return "/".join(masked(unquote(part)) for part in parts)


def without_personal_data(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """The processor that every line passes: see the module's text."""
    return {key: value if key.startswith("_") else _fit(key, value) for key, value in event.items()}


def _fit(key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if key in KNOWN or abs(value) < 1_000_000 else "[withheld]"
    if key not in KNOWN:
        return "[withheld]"
    if key == "path":
        return masked_path(str(value))
    if key == "exception":
        return value  # made by `_traceback` from masked parts
    if isinstance(value, list | tuple | set | frozenset):
        return [_fit(key, v) for v in value]
    text = str(value)
    return text if _ID.fullmatch(text) else masked(text)


def _traceback(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """`exc_info` as type, masked message and frames; a database error's parameters and a ValueError's values stay out."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    elif isinstance(given, BaseException):
        given = (type(given), given, given.__traceback__)
    if given and given[1] is not None:
        event["exception"] = "\n".join(_told(given[1], given[2]))
    return event


def _told(error: BaseException, trace: TracebackType | None) -> Iterable[str]:
    if error.__cause__ is not None:
        yield from _told(error.__cause__, error.__cause__.__traceback__)
        yield "which led to:"
    for frame in traceback.extract_tb(trace)[-25:]:
        yield f"  {frame.filename}:{frame.lineno} {frame.name}"
    first = next(iter(str(error).splitlines()), "")
    yield f"{type(error).__name__}: {masked(_QUOTED.sub('[…]', first))}"


def _access(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """uvicorn's access line as fields; who asked is left out."""
    args = event.pop("positional_args", None)
    if event.get("logger") == "uvicorn.access" and isinstance(args, tuple) and len(args) == _ACCESS_FIELDS:
        _client, method, path, _version, status = args
        event.update(event="http.request", method=method, path=str(path), status=status)
    return event


_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
)


def configure(level: str = "info", *, stream: IO[str] | None = None, pretty: bool | None = None) -> None:
    """Send every log of this process to `stream` (stderr). Call once at the start of a process, again after a fork is harmless.

    `pretty` is decided by whether the stream is a terminal. Start uvicorn with `log_config=None`, or it takes its logs back.
    """
    out = stream or sys.stderr
    show = out.isatty() if pretty is None else pretty
    last: Processor = structlog.dev.ConsoleRenderer(colors=show) if show else structlog.processors.JSONRenderer(ensure_ascii=False)
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED, pass_foreign_args=True,
        processors=[_access, _traceback, without_personal_data, structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]))
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.split(".")[0] not in _CHATTY)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(), wrapper_class=structlog.stdlib.BoundLogger, cache_logger_on_first_use=False)


def get(name: str = "outreach") -> structlog.stdlib.BoundLogger:
    """A logger: `log = get()` at a module's top, then `log.info("letter.sent", letter=…, campaign=…, seconds=…)`."""
    return cast(structlog.stdlib.BoundLogger, structlog.get_logger(name))


def about(**keys: Any) -> AbstractContextManager[None]:
    """Inside `with about(letter=…, campaign=…):` every line carries these."""
    return structlog.contextvars.bound_contextvars(**keys)
