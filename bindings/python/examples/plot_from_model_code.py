"""Run code that a language model wrote, and get its plot back as the bytes of a PNG.

    python plot_from_model_code.py [plot.png]

The code has numpy and matplotlib of this environment, a folder of its own, and nothing else: no network,
none of your files. Writes the plot to the file that is named.
"""

from __future__ import annotations

import sys
from pathlib import Path

import stockade

DATA = b"month,sales\n" + b"".join(b"%d,%d\n" % (n, 40 + 9 * n - n * n // 2) for n in range(1, 13))

# What a model answered when it was asked for a plot of the file.
ANSWER = """
import numpy as np
import matplotlib.pyplot as plt

month, sales = np.loadtxt("sales.csv", delimiter=",", skiprows=1, unpack=True)
curve = np.polynomial.Polynomial.fit(month, sales, 2)
at = np.linspace(1, 12, 200)

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.bar(month, sales, color="#a6bddb", label="sales")
axes.plot(at, curve(at), color="#045a8d", label="trend")
axes.set(xlabel="month", ylabel="units", title="Sales and their trend")
axes.legend()
figure.savefig("plot.png", dpi=100)
print(f"best month: {month[sales.argmax()]:.0f}")
"""


def main() -> None:
    with stockade.Session(files={"sales.csv": DATA}, memory="512MiB", timeout=30) as session:
        result = session.run(ANSWER)
        if result.error is not None:
            sys.exit(f"the code failed: {result.error}")
        png = session.get("plot.png", max_size=1 << 20)
    print(f"it printed {result.stdout!r} and drew a PNG of {len(png)} bytes")
    # What it gives is bytes, and untrusted as the code is.
    if not png.startswith(b"\x89PNG\r\n\x1a\n"):
        sys.exit("that is no PNG")
    for name in sys.argv[1:]:
        Path(name).write_bytes(png)


if __name__ == "__main__":
    main()
