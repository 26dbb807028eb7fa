"""A run of the benchmark: what is measured, and everything that was found out."""

import dataclasses
import pathlib
import sys
import time

import corpora
import machine
import operations
from measuring import Measuring
from tools import Place
from volumes import GIB, Volumes

# Where times are small, they need more rounds; where bytes are what is looked at, one is enough.
ROUNDS = {"tiny": 15, "large": 1}


@dataclasses.dataclass
class Session:
    """`records` has one dict a measurement: corpus, fs, round, operation, tool, seconds, …; `parts` what the other parts
    of the benchmark have found, by their names."""

    volumes: Volumes
    measuring: Measuring
    cache: pathlib.Path
    rounds: int
    # Whether hearth_counted and the measured binary are of one source.
    counts: bool = True
    room: int = 24 * GIB
    inodes: int = 500_000
    records: list = dataclasses.field(default_factory=list)
    about: dict = dataclasses.field(default_factory=dict)
    parts: dict = dataclasses.field(default_factory=dict)
    begun: float = dataclasses.field(default_factory=time.monotonic)

    def measure(self, name, tools, wanted):
        """All rounds of one corpus."""
        corpus = self.corpus(name)
        if name not in self.about:
            self.about[name] = corpora.describe(corpus)
        rounds = ROUNDS.get(name, self.rounds) if self.rounds > 1 else 1
        left = list(tools)
        for number in range(rounds):
            with operations.Round(self, corpus, left, number, wanted) as one:
                one.run()
            slow = self._slow(name)
            left = [tool for tool in left if tool.reference or tool.name not in slow]
            self.say(f"{name} on {self.volumes.kind}: round {number + 1} of {rounds}")

    def corpus(self, name):
        return corpora.prepare(name, self.cache)

    def place(self, work, tool, suffix=""):
        """A new Place for the tool on the volume `work`."""
        place = Place(work / f"store-{tool.name}{suffix}", work / f"home-{tool.name}{suffix}")
        place.home.mkdir()
        tool.prepare(place)
        return place

    def record(self, one, operation, tool, result):
        self.records.append({"corpus": one.corpus.name, "fs": self.volumes.kind, "round": one.number,
                             "operation": operation, "tool": tool, **result})

    def say(self, line):
        """How far we are."""
        minutes, seconds = divmod(round(time.monotonic() - self.begun), 60)
        print(f"{minutes:3}:{seconds:02} {line}", file=sys.stderr, flush=True)

    def _slow(self, corpus):
        """Peers for which once has to be enough."""
        return {record["tool"] for record in self.records
                if (record["corpus"], record["fs"]) == (corpus, self.volumes.kind)
                and record["seconds"] > operations.SLOW_SECONDS}

    def results(self, command):
        return {"version": 2, "machine": machine.describe() | {"command": command}, "corpora": self.about,
                "records": self.records, **self.parts}
