"""RQ, seen from the rest: ring a queue's bell. A bell that cannot be rung is no error: the ticker rings again."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue

from outreach.logs import get
from outreach.settings import get_settings

log = get()


class QueueName(StrEnum):
    """One queue for each kind of work, one queue per worker process: slow fax never stops mail."""

    EMAIL = "email"
    FAX = "fax"
    NOTICE = "notice"


JOBS = {QueueName.EMAIL: "workers.jobs.drain_email", QueueName.FAX: "workers.jobs.drain_fax",
        QueueName.NOTICE: "workers.jobs.drain_notices"}


@lru_cache(maxsize=1)
def redis() -> Redis:
    """The connection for ringing; short time-outs, since a form must not wait for it."""
    made: Redis = Redis.from_url(get_settings().broker_url, socket_connect_timeout=1, socket_timeout=2)
    return made


def redis_for_worker() -> Redis:
    """A worker's connection: it blocks on its queue, so it needs a longer patience than a form's."""
    made: Redis = Redis.from_url(get_settings().broker_url, socket_connect_timeout=5, health_check_interval=30)
    return made


@lru_cache(maxsize=8)
def queue(name: QueueName) -> Queue:
    """The RQ queue; its jobs have no time-out, since RQ's would raise inside a hand-over."""
    return Queue(name.value, connection=redis(), default_timeout=-1)


def ring(*names: QueueName) -> bool:
    """Ask that somebody drain these queues; a queue whose bell has been rung and not yet heard is left alone.

    Returns False when Redis does not answer.
    """
    try:
        for name in names:
            if not redis().llen(queue(name).key):
                queue(name).enqueue(JOBS[name], result_ttl=0, failure_ttl=3600, job_timeout=-1)
    except (RedisError, OSError) as e:
        log.warning("queue.unreachable", error=type(e).__name__)
        return False
    return True
