"""Functions that others wrote, on two Ray actors: one of them is honest.

Needs `pip install stockade[ray]`.
"""

import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray

from stockade.ray import SandboxPool

SUBMISSIONS = {
    "honest": "def answer(n):\n    return sum(range(n))",
    "loops": "def answer(n):\n    while True:\n        pass",
    "greedy": "def answer(n):\n    return len(bytearray(1 << 30))",
    "curious": "def answer(n):\n    return open('/etc/shadow').read()",
    "chatty": "import socket\ndef answer(n):\n    return socket.create_connection(('192.0.2.1', 80))",
    "trap": "class Trap:\n    def __reduce__(self):\n        return print, ('gotcha',)\ndef answer(n):\n    return Trap()",
}


def judge(source, n):
    """Run somebody's code. This runs in a sandbox; here it would not be safe."""
    names = {}
    exec(source, names)
    return names["answer"](n)


def main():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    with SandboxPool(2, memory="128MiB", timeout=2) as pool:
        print("20 calls:", list(pool.map(judge, [SUBMISSIONS["honest"]] * 20, range(20))))
        calls = {name: pool.submit(judge, source, 100) for name, source in SUBMISSIONS.items()}
        for name, call in calls.items():
            try:
                shown = ray.get(call)
            except ray.exceptions.RayTaskError as error:
                shown = f"{type(error.cause).__name__}: {str(error.cause).splitlines()[0]}"
            print(f"{name:8} {shown}")
    ray.shutdown()


if __name__ == "__main__":
    main()
