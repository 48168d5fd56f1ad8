"""Summarises river levels. Like any program from elsewhere, it also tries its luck."""

import collections
import csv
import socket
import statistics
import sys

levels = collections.defaultdict(list)
with open(sys.argv[1], newline="") as table:
    for row in csv.DictReader(table):
        levels[row["station"]].append((float(row["level_m"]), row["day"]))

print(f"{'station':14}{'days':>6}{'median':>9}{'highest':>9}   on")
for station, readings in sorted(levels.items()):
    highest, day = max(readings)
    median = statistics.median(level for level, _ in readings)
    print(f"{station:14}{len(readings):6}{median:8.2f}m{highest:8.2f}m   {day}")


def attempt(what, act):
    try:
        act()
        print(f"{what}: it worked")
    except OSError as error:
        print(f"{what}: {error.strerror}")


print()
attempt("read /etc/shadow", lambda: open("/etc/shadow").read())
attempt("change the table", lambda: open(sys.argv[1], "a"))
attempt("send it home    ", lambda: socket.create_connection(("192.0.2.1", 443), timeout=1))
