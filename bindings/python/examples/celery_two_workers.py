"""Functions that others wrote, on two Celery workers: one of them is honest.

Needs `pip install stockade[celery]`. The broker is a folder here, so no server is needed.
"""

import os
import subprocess
import sys
import tempfile

from celery import Celery

from stockade.celery import SandboxTask

FOLDER = os.environ.get("GRADER_FOLDER", "")
SUBMISSIONS = {
    "honest": "def answer(n):\n    return sum(range(n))",
    "loops": "def answer(n):\n    while True:\n        pass",
    "greedy": "def answer(n):\n    return len(bytearray(1 << 30))",
    "curious": "def answer(n):\n    return open('/etc/shadow').read()",
    "chatty": "import socket\ndef answer(n):\n    return socket.create_connection(('192.0.2.1', 80))",
    "trap": "class Trap:\n    def __reduce__(self):\n        return print, ('gotcha',)\ndef answer(n):\n    return Trap()",
}

app = Celery("celery_two_workers", broker="filesystem://", backend=f"file://{FOLDER}/results")
app.conf.broker_transport_options = {
    "data_folder_in": f"{FOLDER}/queue",
    "data_folder_out": f"{FOLDER}/queue",
    "control_folder": f"{FOLDER}/control",
    "processed_folder": f"{FOLDER}/done",
    "store_processed": True,
    "polling_interval": 0.1,
}
app.conf.update(
    result_extended=True, worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True
)


@app.task(base=SandboxTask, sandbox={"memory": "128MiB", "timeout": 2})
def judge(source, n):
    """Run somebody's code. This runs in a sandbox; here it would not be safe."""
    names = {}
    exec(source, names)
    return names["answer"](n)


def main():
    # Each worker has a queue of its own, so that both take part.
    names = ("one", "two")
    many = [judge.apply_async((SUBMISSIONS["honest"], n), queue=names[n % 2]) for n in range(20)]
    results = {
        name: judge.apply_async((source, 100), queue="one") for name, source in SUBMISSIONS.items()
    }
    workers = [start(name) for name in names]
    try:
        print("20 calls:", [result.get(timeout=60, interval=0.05) for result in many])
        print("workers that took part:", len({result.worker for result in many}))
        for name, result in results.items():
            value = result.get(timeout=60, interval=0.05, propagate=False)
            bad = isinstance(value, Exception)
            print(
                f"{name:8} {f'{type(value).__name__}: {str(value).splitlines()[0]}' if bad else value}"
            )
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def start(name):
    """A worker, as from a shell: a pool of one forked process."""
    command = f"celery -A celery_two_workers worker -n {name}@localhost -Q {name} -c 1"
    return subprocess.Popen(
        [sys.executable, "-m", *command.split()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    if FOLDER:
        main()
    else:
        with tempfile.TemporaryDirectory() as folder:
            for part in ("queue", "done", "control", "results"):
                os.mkdir(os.path.join(folder, part))
            subprocess.run(
                [sys.executable, os.path.basename(__file__)],
                cwd=os.path.dirname(os.path.abspath(__file__)),
                env={**os.environ, "GRADER_FOLDER": folder},
                check=True,
            )
