"""Runs one command under hearth_measure, or one of the physical limits, and says what it took."""

import dataclasses
import json
import os
import pathlib
import subprocess

# What a measured program finds in its environment: nothing of the caller's settings, for Hearth's or a peer's.
KEPT_VARIABLES = ("PATH", "LANG")


@dataclasses.dataclass
class Command:
    """A pipeline: one argument list a stage."""

    stages: list
    output: str = "/dev/null"
    environment: dict = dataclasses.field(default_factory=dict)

    def arguments(self):
        words = []
        for stage in self.stages:
            words += ["|"] * bool(words) + [str(word) for word in stage]
        return words


class Failed(Exception):
    """A measured command did not succeed."""


class Measuring:
    """Knows where the measuring programs are."""

    def __init__(self, programs):
        self.programs = pathlib.Path(programs)
        self.measure = self.programs / "hearth_measure"
        self.limits = self.programs / "hearth_limits"
        self.environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}

    def run(self, command, sync, home=None):
        """Runs the Command, then syncs the file system of `sync`; a dict as docs/performance.md explains it."""
        words = [str(self.measure), str(sync), command.output, *command.arguments()]
        done = subprocess.run(words, env=self._environment(command, home), text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            raise Failed(f"exit code {done.returncode}: {' '.join(command.arguments())}\n{done.stderr[-2000:]}")
        return json.loads(done.stdout)

    def _environment(self, command, home):
        """`home`: where the command keeps what is its own, beside the store."""
        return self.environment | ({"HOME": str(home)} if home else {}) | command.environment

    def limit(self, *arguments):
        """Seconds of one physical limit."""
        words = [str(self.limits), *map(str, arguments)]
        return json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)["seconds"]

    def generate(self, what, path, amount):
        """Makes a synthetic tree ("generate", files) or file ("generate-file", bytes)."""
        subprocess.run([str(self.limits), what, str(path), str(amount)], check=True)

    def counted(self, action, directory, store):
        """What a save or restore asks of the store: {get, put, list, stat, remove, objects}. Takes no time that counts."""
        done = subprocess.run([str(self.programs / "hearth_counted"), action, str(directory), str(store)], text=True,
                              check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def warm(self, *directories):
        """Reads everything there, since the kernel drops pages that lie idle."""
        for directory in directories:
            if pathlib.Path(directory).is_dir():
                subprocess.run([str(self.limits), "read", str(directory)], check=True, stdout=subprocess.DEVNULL)


# Where Hearth's local store keeps its locks: empty files, and no objects.
NO_OBJECTS = ".hearth"


def sync(path):
    subprocess.run(["sync", "-f", str(path)], check=True)


def content_of(directory):
    """{path: (size, mtime in ns)} of the objects below it."""
    found = {}
    for folder, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if name != NO_OBJECTS]
        for name in files:
            status = os.lstat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = (status.st_size, status.st_mtime_ns)
    return found


def written(before, after):
    """(bytes, objects) that are new or changed in a store."""
    changed = [status for path, status in after.items() if before.get(path) != status]
    return sum(size for size, _ in changed), len(changed)
