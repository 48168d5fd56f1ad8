"""The tasks of `test_celery`, which its workers import."""

from __future__ import annotations

import os
import signal
import time
import uuid
from pathlib import Path

from celery import Celery, signals
from kombu.transport import filesystem
from kombu.utils import json
from remains import BEST_EFFORT, MARK

from stockade.celery import SandboxTask, WorkerLost

FOLDER = os.environ["STOCKADE_TEST_CELERY"]
"""Where the queue is, and the results; in ``attempts`` tasks may write."""

SANDBOX = {
    "timeout": 5,
    "memory": "256MiB",
    "paths": [os.environ["STOCKADE_TEST_WATCH"]],
    "best_effort": BEST_EFFORT,
}

app = Celery("sandboxed_tasks", broker="filesystem://", backend=f"file://{FOLDER}/results")
app.conf.broker_transport_options = {
    "data_folder_in": f"{FOLDER}/queue",
    "data_folder_out": f"{FOLDER}/queue",
    "control_folder": f"{FOLDER}/control",
    "store_processed": True,
    "processed_folder": f"{FOLDER}/done",
    "polling_interval": 0.02,
}
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)


def put(self, queue, payload, **_):
    """Put a message into the queue as a whole: Celery's own way lets a worker find it empty, and lose it."""
    name = f"{time.monotonic_ns()}_{uuid.uuid4()}"
    written = Path(FOLDER, "done", name)
    written.write_text(json.dumps(payload))
    written.replace(Path(FOLDER, "queue", f"{name}.{queue}.msg"))


filesystem.Channel._put = put


def inside():
    return MARK not in os.environ


@app.task(base=SandboxTask, sandbox=SANDBOX)
def double(x):
    """Two times."""
    return 2 * x if inside() else "outside"


@app.task(base=SandboxTask, sandbox=SANDBOX)
def fail():
    print("before the end")
    raise LookupError("not there")


@app.task(base=SandboxTask, sandbox=SANDBOX)
def eat():
    return len(bytearray(1 << 30))


@app.task(base=SandboxTask, sandbox={**SANDBOX, "timeout": 2})
def spin():
    while True:
        pass


@app.task(base=SandboxTask, sandbox={**SANDBOX, "timeout": 60, "cpu_time": 60}, soft_time_limit=1)
def spin_softly():
    while True:
        pass


@app.task(base=SandboxTask, sandbox={**SANDBOX, "timeout": 60, "cpu_time": 60}, time_limit=1)
def spin_hard():
    while True:
        pass


@app.task(base=SandboxTask, sandbox=SANDBOX)
def die():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(base=SandboxTask, sandbox=SANDBOX)
def trap(path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (path,)

    return Trap()


@app.task(
    base=SandboxTask,
    sandbox={
        **SANDBOX,
        "mounts": [{"bind": f"{FOLDER}/attempts", "target": "/attempts", "access": "rw"}],
    },
    autoretry_for=(WorkerLost,),
    max_retries=3,
    default_retry_delay=0,
)
def die_twice():
    attempts = len(os.listdir("/attempts"))
    open(f"/attempts/{attempts}", "w").close()
    if attempts < 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempts


class Triple(SandboxTask):
    """A task that is a class."""

    name = "triple"
    sandbox = SANDBOX
    autoretry_for = (WorkerLost,)

    @staticmethod
    def run(x):
        return 3 * x if inside() else "outside"


triple = app.register_task(Triple())


@app.task
def pid():
    return os.getpid()


@signals.worker_init.connect
def use_sandboxes_before_the_fork(**_):
    Path(FOLDER, "parent").write_text(str(double(21)))
