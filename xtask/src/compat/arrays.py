"""What numpy and pandas compute, in lines that are the same every time."""

import hashlib
import io
import os
import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy
import pandas

print(numpy.__version__, pandas.__version__)


def digest(array):
    return hashlib.sha256(numpy.ascontiguousarray(array).tobytes()).hexdigest()[:16]


random = numpy.random.default_rng(1)
matrix = random.standard_normal((400, 400))
print("random", digest(matrix))
print("solve", numpy.allclose(matrix @ numpy.linalg.solve(matrix, matrix), matrix))
values, vectors = numpy.linalg.eigh(matrix @ matrix.T)
print("eigen", numpy.allclose(vectors @ numpy.diag(values) @ vectors.T, matrix @ matrix.T))
print("fourier", numpy.allclose(numpy.fft.ifft2(numpy.fft.fft2(matrix)).real, matrix))
with ThreadPoolExecutor(4) as pool:
    print("threads", sum(pool.map(lambda n: int(numpy.arange(n).sum()), range(100000, 100100))))

with tempfile.TemporaryDirectory() as folder:
    file = os.path.join(folder, "map")
    shared = numpy.memmap(file, dtype="int64", mode="w+", shape=(1000, 1000))
    shared[:] = numpy.arange(1000000).reshape(1000, 1000)
    shared.flush()
    print("memmap", digest(numpy.memmap(file, dtype="int64", mode="r")))
    numpy.savez_compressed(file, matrix=matrix)
    print("npz", digest(numpy.load(file + ".npz")["matrix"]))

frame = pandas.DataFrame({
    "key": random.integers(0, 50, 20000),
    "value": random.integers(0, 10**6, 20000),
    "when": pandas.date_range("2020-01-01", periods=20000, freq="min", tz="Europe/Berlin"),
})
print("group", digest(frame.groupby("key")["value"].agg(["sum", "min", "max"]).to_numpy()))
other = pandas.DataFrame({"key": range(0, 100, 2), "name": [f"n{i}" for i in range(50)]})
print("merge", len(frame.merge(other, on="key")), sorted(frame.merge(other)["name"].unique())[:3])
print("resample", digest(frame.set_index("when")["value"].resample("1D").sum().to_numpy()))
again = pandas.read_csv(io.StringIO(frame.to_csv(index=False)))
print("csv", again["value"].equals(frame["value"]))
with sqlite3.connect(":memory:") as base:
    frame.drop(columns="when").to_sql("t", base, index=False)
    print("sql", pandas.read_sql("SELECT key, sum(value) AS s FROM t GROUP BY key", base)["s"].sum())
