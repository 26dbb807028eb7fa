"""A run of the benchmark: what is measured on which corpora, and everything that was found out."""

import dataclasses
import pathlib
import sys
import time

import corpora
import machine
import operations
from measuring import Measuring
from volumes import GIB, Volumes

ROUNDS = {"tiny": 15}


@dataclasses.dataclass
class Session:
    """`records` has one dict a measurement: corpus, fs, round, operation, tool, seconds, …"""

    volumes: Volumes
    measuring: Measuring
    cache: pathlib.Path
    rounds: int
    room: int = 24 * GIB
    inodes: int = 400_000
    records: list = dataclasses.field(default_factory=list)
    about: dict = dataclasses.field(default_factory=dict)

    def measure(self, name, tools, wanted):
        """All rounds of one corpus."""
        corpus = corpora.prepare(name, self.cache)
        self.about[name] = corpora.describe(corpus)
        rounds = max(self.rounds, ROUNDS.get(name, 0)) if self.rounds > 1 else 1
        left = list(tools)
        for number in range(rounds):
            begun = time.monotonic()
            with operations.Round(self, corpus, left, number, wanted) as one:
                one.run()
            slow = self._slow(name)
            left = [tool for tool in left if tool.reference or tool.name not in slow]
            print(f"{name}: round {number + 1} of {rounds}, {time.monotonic() - begun:.0f} s", file=sys.stderr)

    def record(self, one, operation, tool, result):
        self.records.append({"corpus": one.corpus.name, "fs": self.volumes.kind, "round": one.number,
                             "operation": operation, "tool": tool, **result})

    def _slow(self, corpus):
        """Peers for which once has to be enough."""
        return {record["tool"] for record in self.records
                if record["corpus"] == corpus and record["seconds"] > operations.SLOW_SECONDS}

    def results(self):
        return {"version": 1, "machine": machine.describe(), "corpora": self.about, "records": self.records}
