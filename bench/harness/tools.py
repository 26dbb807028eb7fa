"""Hearth and its peers: how each saves a directory into a store, and restores it."""

import dataclasses
import pathlib
import subprocess

from measuring import Command

HEARTH = "hearth"


@dataclasses.dataclass
class Place:
    """Where a tool keeps its things within a round."""

    store: pathlib.Path
    home: pathlib.Path


class Tool:
    """One way to keep a directory. All it writes lies in its Place."""

    name = ""
    title = ""
    programs = ()        # without which it is left out
    repeats = True       # whether a second save of the same is something else than the first
    restores_over = False
    reference = False    # what goals are stated in takes part in every round, however slow it is

    def prepare(self, place):
        """What is done once for a store, and is not measured."""
        place.store.mkdir(parents=True)

    def save(self, place, tree, number):
        raise NotImplementedError

    def restore(self, place, target):
        raise NotImplementedError


class Hearth(Tool):
    name = title = HEARTH
    reference = True
    restores_over = True

    def __init__(self, binary):
        self.binary = binary
        self.programs = (binary,)

    def _command(self, place, action, directory):
        return Command([[self.binary, "cache", action, directory, "--app", "bench", "--store", f"file://{place.store}",
                         "--strict", f"--{action}-deadline", "2h"]])

    def save(self, place, tree, number):
        return self._command(place, "save", tree)

    def restore(self, place, target):
        return self._command(place, "restore", target)

    def collect(self, place):
        """Deletes what has waited for its deletion for long enough."""
        return Command([[self.binary, "cache", "gc", "bench", "--store", f"file://{place.store}"]])


class TarZstd(Tool):
    name = "tar-zstd"
    title = "tar + `zstd -T0`"
    reference = True
    programs = ("tar", "zstd")
    repeats = False

    def save(self, place, tree, number):
        archive = place.store / f"{number}.tar.zst"
        return Command([["tar", "-C", tree, "-cf", "-", "."], ["zstd", "-q", "-T0", "-o", archive]])

    def restore(self, place, target):
        return Command([["zstd", "-dcq", _newest(place)], ["tar", "-C", target, "-xf", "-"]])


class ActionsCache(Tool):
    name = "actions-cache"
    title = "actions/cache style"
    programs = ("tar", "zstd")
    repeats = False

    def save(self, place, tree, number):
        return Command([["tar", "--posix", "-cf", place.store / f"{number}.tzst", "-P", "-C", tree, ".",
                         "--use-compress-program", "zstd -T0 --long=30"]])

    def restore(self, place, target):
        return Command([["tar", "-xf", _newest(place), "-P", "-C", target,
                         "--use-compress-program", "unzstd --long=30"]])


class Restic(Tool):
    name = title = "restic"
    programs = ("restic",)

    def _environment(self, place):
        return {"RESTIC_REPOSITORY": str(place.store), "RESTIC_PASSWORD": "bench"}

    def prepare(self, place):
        _setup(place, ["restic", "init", "-q"], self._environment(place))

    def save(self, place, tree, number):
        return Command([["env", "-C", tree, "restic", "backup", "-q", "."]], environment=self._environment(place))

    def restore(self, place, target):
        return Command([["restic", "restore", "-q", "latest", "--target", target]],
                       environment=self._environment(place))


class Casync(Tool):
    name = title = "casync"
    programs = ("casync",)

    def save(self, place, tree, number):
        return Command([["casync", "make", f"--store={place.store}/default.castr", place.store / f"{number}.caidx",
                         tree]])

    def restore(self, place, target):
        return Command([["casync", "extract", f"--store={place.store}/default.castr", _newest(place, ".caidx"),
                         target]])


class Borg(Tool):
    name = "borg"
    title = "borg zstd"
    programs = ("borg",)
    environment = {"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes", "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}

    def prepare(self, place):
        _setup(place, ["borg", "init", "-e", "none", place.store], self.environment)

    def save(self, place, tree, number):
        return Command([["env", "-C", tree, "borg", "create", "-C", "zstd", f"{place.store}::{number}", "."]],
                       environment=self.environment)

    def restore(self, place, target):
        newest = subprocess.run(["borg", "list", "--short", "--last", "1", place.store], check=True, text=True,
                                capture_output=True, env=_environment(place, self.environment)).stdout.strip()
        return Command([["env", "-C", target, "borg", "extract", f"{place.store}::{newest}"]],
                       environment=self.environment)


class Rsync(Tool):
    name = "rsync"
    title = "rsync -a"
    reference = True
    programs = ("rsync",)
    restores_over = True

    def save(self, place, tree, number):
        return Command([["rsync", "-a", "-H", "--delete", f"{tree}/", f"{place.store}/tree/"]])

    def restore(self, place, target):
        return Command([["rsync", "-a", "-H", "--delete", f"{place.store}/tree/", f"{target}/"]])


class Copy(Tool):
    name = "cp"
    title = "cp -a"
    programs = ("cp",)
    repeats = False

    def save(self, place, tree, number):
        return Command([["cp", "-a", tree, place.store / str(number)]])

    def restore(self, place, target):
        return Command([["cp", "-a", f"{_newest(place, '')}/.", target]])


class Md5Tar(Tool):
    """As Deis' slugbuilder does it: checksums tell whether anything has changed, and then everything goes up."""

    name = "md5-tar"
    title = "md5deep + tar.gz"
    programs = ("md5deep", "tar", "gzip")

    def save(self, place, tree, number):
        script = ('cd "$1" && md5deep -r -l . | sort >"$2/new" && '
                  '{ cmp -s "$2/new" "$2/sums" || { tar -czf "$2/cache.tgz" . && mv "$2/new" "$2/sums"; }; }')
        return Command([["bash", "-c", script, "md5-tar", tree, place.store]])

    def restore(self, place, target):
        return Command([["tar", "-C", target, "-xzf", place.store / "cache.tgz"]])


class Casher(Md5Tar):
    """As Travis' casher does it: the same, and each restore takes the checksums of what it has unpacked."""

    name = "casher"
    title = "Travis casher style"

    def restore(self, place, target):
        script = 'tar -C "$1" -Pxzf "$2/cache.tgz" && cd "$1" && md5deep -r -l . | sort >"$2/sums"'
        return Command([["bash", "-c", script, "casher", target, place.store]])


PEERS = (TarZstd, ActionsCache, Restic, Casync, Borg, Rsync, Copy, Md5Tar, Casher)
FAST_PEERS = (TarZstd, Restic, Rsync)


def _environment(place, more):
    return {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(place.home), **more}


def _setup(place, words, environment):
    place.store.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL,
                   env=_environment(place, environment))


def _newest(place, suffix=None):
    """What the last save wrote: saves are numbered."""
    paths = [path for path in place.store.iterdir() if suffix in (None, path.suffix)]
    return max(paths, key=lambda path: int(path.name.split(".")[0]))
