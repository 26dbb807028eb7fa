"""Micro-benchmarks of single steps: what hearth_micro measures by Google Benchmark."""

import json
import os
import subprocess

import goals
import markdown


def measure(session):
    """[{name, seconds, bytes_per_second, items_per_second, object_bytes}]; what a step does not count is None."""
    with session.volumes.fresh() as work:
        done = subprocess.run([session.measuring.programs / "hearth_micro", "--benchmark_format=json"], check=True,
                              text=True, stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": str(work)})
    return [parse(benchmark) for benchmark in json.loads(done.stdout)["benchmarks"]]


def parse(benchmark):
    unit = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[benchmark["time_unit"]]
    counted = {name: benchmark.get(name) for name in ("bytes_per_second", "items_per_second", "object_bytes")}
    return {"name": benchmark["name"], "seconds": benchmark["real_time"] * unit, **counted}


def section(records):
    rows = [[f"`{record['name']}`", duration(record["seconds"]), _rate(record), goals.size(record["object_bytes"])]
            for record in records]
    return markdown.table(["step", "time", "rate", "makes or reads"], rows)


def duration(seconds):
    for unit, factor in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _rate(record):
    if record["bytes_per_second"]:
        return f"{goals.size(record['bytes_per_second'])}/s"
    return f"{record['items_per_second'] / 1000:,.0f} k entries/s" if record["items_per_second"] else "–"
