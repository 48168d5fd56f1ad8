"""Functions that others wrote, on two Dask workers: one of them is honest.

Needs `pip install stockade[dask]`.
"""

import logging

import dask
from distributed import Client, LocalCluster

from stockade.dask import SandboxPlugin

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
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(SandboxPlugin(memory="128MiB", timeout=2))
        with dask.annotate(executor="sandbox"):
            many = client.map(judge, [SUBMISSIONS["honest"]] * 20, range(20))
            futures = {
                name: client.submit(judge, source, 100) for name, source in SUBMISSIONS.items()
            }
        print("20 calls:", client.gather(many))
        print(
            "workers that took part:",
            len({worker for held in client.who_has(many).values() for worker in held}),
        )
        for name, future in futures.items():
            error = future.exception()
            shown = (
                future.result()
                if error is None
                else f"{type(error).__name__}: {str(error).splitlines()[0]}"
            )
            print(f"{name:8} {shown}")


if __name__ == "__main__":
    main()
