"""RQ: a job is only a wake-up; what there is to do stands in rows."""

import logging
import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import redis
from rq import Queue, Worker
from rq_scheduler import Scheduler

from common import config, figures, loop, startup, stream
from common import log as logs
from common.service import Service, services

log = logging.getLogger("jobs")

TIMEOUT_S = 4 * 60 * 60
SCHEDULE_POLL_S = 2
PAUSE_S = 1
# rq waits 15 s less for a job, and 5 s less for any answer: a server that hangs is left soon.
WORKER_TTL_S = 20


def connect(url: str) -> redis.Redis:
    return stream.client(url, socket_connect_timeout=2)


def wake(service: str, function: str) -> None:
    """The service's worker calls `function` soon.  With the queue away nothing is lost: the tick
    finds the row.
    """
    settings = config.current()
    try:
        queue = Queue(
            service,
            connection=stream.client(
                settings.queue_url, socket_timeout=2, socket_connect_timeout=1
            ),
        )
        queue.enqueue_call(function, timeout=TIMEOUT_S, result_ttl=60, failure_ttl=24 * 60 * 60)
    except redis.RedisError as error:
        log.warning("%s will start with the next tick: %s", function, error)


class PatientWorker(Worker):
    """Times its jobs where they are waited for, since the process that runs one ends with it; told
    to end, lets the job finish the batch in hand.
    """

    max_connection_wait_time = 2.0  # a queue that is back is served at once
    told = loop.Stop()  # of the process, in which one worker follows another

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()
        self._stop_requested = self.told.is_set()  # while it was being made

    def request_stop(self, signum: Any, frame: Any) -> None:
        self.told.set()
        if self.horse_pid:
            with suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)
        super().request_stop(signum, frame)  # raises where a job is waited for

    def setup_work_horse_signals(self) -> None:
        super().setup_work_horse_signals()
        loop.job.on_signals()

    def execute_job(self, job: Any, queue: Any) -> None:
        with figures.done().jobs.labels(queue.name).time():
            super().execute_job(job, queue)


def work(service: Service, settings: config.Config) -> None:
    """One worker on the service's one queue; a worker on several can lose a popped job."""
    assert service.store
    service.store.close()
    told = PatientWorker.told
    while not told.is_set():
        told.on_signals()  # those of the worker before are still set
        try:
            connection = connect(settings.queue_url)
            queue = Queue(service.name, connection=connection)
            worker = PatientWorker([queue], connection=connection, worker_ttl=WORKER_TTL_S)
            worker.work(logging_level="WARNING")
        except redis.RedisError as error:
            log.warning("the queue is away: %s", error)
        told.wait(PAUSE_S)


class TickScheduler(Scheduler):
    """Registers every tick before each look, so that a lost schedule is made again by itself; ends
    when it is told to, even if the queue is away.
    """

    def enqueue_jobs(self) -> Any:
        for service in services():
            if service.tick:
                self.register(service)
        return super().enqueue_jobs()

    def register(self, service: Service) -> None:
        job_id = f"tick-{service.name}"
        if job_id not in self:
            self.schedule(
                scheduled_time=datetime.now(UTC).replace(tzinfo=None),
                func=service.tick,
                interval=service.tick_s,
                id=job_id,
                queue_name=service.name,
                timeout=TIMEOUT_S,
                result_ttl=service.tick_s * 5,
            )

    def remove_lock(self) -> None:
        with suppress(redis.RedisError):
            super().remove_lock()

    def register_death(self) -> None:
        with suppress(redis.RedisError):
            super().register_death()


def schedule(settings: config.Config) -> None:
    """Wakes the services' jobs until told to stop; two of these do no harm."""
    logs.begin(settings, "schedule")
    startup.check_redis("QUEUE_URL", settings.queue_url, is_needed=True)
    while True:
        try:
            TickScheduler(connection=connect(settings.queue_url), interval=SCHEDULE_POLL_S).run()
            return
        except redis.RedisError as error:
            log.warning("the queue is away: %s", error)
            time.sleep(PAUSE_S)
