"""For those who run the service: is it alive, is it ready, how much is there. No personal data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from outreach import migrate
from outreach.db import reading
from outreach.logs import get
from outreach.services import campaigns, stats

router = APIRouter()
log = get()
NO_STORE = {"cache-control": "no-store"}
registry = CollectorRegistry()
ProcessCollector(registry=registry)
REQUESTS = Counter("outreach_http_requests", "Requests that this process has answered.", ["method", "status"], registry=registry)
SECONDS = Histogram("outreach_http_seconds", "Seconds to an answer's first byte, this process.", registry=registry,
                    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10))
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Letters(Collector):
    """Letters by channel and state over all campaigns, read when somebody asks."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily("outreach_letters", "Letters of all campaigns.", labels=["channel", "state"])
        total: defaultdict[tuple[str, str], int] = defaultdict(int)
        with reading() as c:
            for campaign in campaigns.list_all():
                for (_target, channel, name), n in stats.counts(c, campaign.id).items():
                    kind, _, state = name.partition(":")
                    if kind == "letter":
                        total[channel, state] += n
        for labels, n in sorted(total.items()):
            family.add_metric(list(labels), n)
        yield family


registry.register(Letters())


def observe(method: str, status: int, seconds: float) -> None:
    """Count one answered request of this process."""
    REQUESTS.labels(method if method in _METHODS else "other", str(status)).inc()
    SECONDS.observe(seconds)


async def healthz(request: Request) -> Response:
    """GET /healthz: the process answers."""
    return Response("ok\n", 200, NO_STORE, "text/plain")


def readyz(request: Request) -> Response:
    """GET /readyz: the database can be reached and has our schema; else 503 with the reason."""
    try:
        reason = "" if migrate.is_current() else "the database needs `outreach migrate`"
    except SQLAlchemyError as e:
        log.warning("readyz.failed", error=type(e).__name__)
        reason = "the database cannot be reached"
    return Response(f"{reason or 'ready'}\n", 503 if reason else 200, NO_STORE, "text/plain")


def metrics(request: Request) -> Response:
    """GET /metrics, in Prometheus' text format."""
    return Response(generate_latest(registry), 200, {**NO_STORE, "content-type": CONTENT_TYPE_LATEST})


router.add_route("/healthz", healthz, ["GET"])
router.add_route("/readyz", readyz, ["GET"])
router.add_route("/metrics", metrics, ["GET"])
