"""Grade programs that students handed in: a verdict for each test.

    python grade_submission.py

The task: read numbers, print their sum. AC accepted, WA wrong answer, TLE too slow, MLE too much
memory, OLE too much output, RE it failed.
"""

from __future__ import annotations

from typing import List

import stockade

TESTS = [("1 2 3\n", "6"), ("\n", "0"), ("5 " * 20_000, "100000")]

SUBMISSIONS = {
    "right": "print(sum(map(int, input().split())))",
    "wrong": "print(max(map(int, input().split()), default=0))",
    "slow": "while True: pass",
    "greedy": "x = [0] * 10**9",
    "chatty": "while True: print('sum')",
    "fragile": "a, b, c = map(int, input().split()); print(a + b + c)",
    "curious": "print(open('/etc/shadow').read())",
}

LETTERS = {"cpu_time": "TLE", "wall_time": "TLE", "memory": "MLE", "output": "OLE"}
POLICY = stockade.Policy(memory="64MiB", cpu_time=1, wall_time=3, processes=16, output="64KiB")


def grade(source: str) -> List[str]:
    """The verdicts for all tests."""
    program = stockade.prepare(
        ["python3", "/submission.py"],
        policy=POLICY,
        mounts=[{"file": "/submission.py", "contents": source}],
    )
    return [judge(program.run(given, text=True), wanted) for given, wanted in TESTS]


def judge(done: stockade.Completed[str], wanted: str) -> str:
    verdict = done.verdict
    if verdict.kind == "limit":
        return LETTERS.get(verdict.control or "", "RE")
    if not verdict.success:
        return "RE"
    return "AC" if done.stdout.split() == wanted.split() else "WA"


def main() -> None:
    for name, source in SUBMISSIONS.items():
        print(f"{name:<8} {' '.join(grade(source))}")


if __name__ == "__main__":
    main()
