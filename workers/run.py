"""Start one RQ worker for one queue.

One queue a process: a worker killed right after it took a job from one of several queues loses that job for good (facts.md).
The forking worker, as RQ's maintainers advise for production: a job that leaks or crashes takes only its fork with it.
"""

from __future__ import annotations

from rq import Worker

from outreach import queue
from outreach.db import engine
from outreach.logs import get
from outreach.queue import QueueName

log = get()


def run(name: QueueName, *, burst: bool = False) -> None:
    """Work on one queue until told to stop. Returns when the worker ends; whoever supervises it starts it again."""
    import workers.jobs  # noqa: F401  (imported before forks, so that each starts warm)

    engine().dispose()
    connection = queue.redis_for_worker()
    worker = Worker([name.value], connection=connection, worker_ttl=30, maintenance_interval=5, job_monitoring_interval=5,
                    default_result_ttl=0, log_job_description=False)
    log.info("worker.started", queue=name.value)
    worker.work(burst=burst, logging_level="WARNING", with_scheduler=False)
