"""The directories that are measured: each is built once, from what is pinned beside this file, and kept."""

import dataclasses
import filecmp
import hashlib
import pathlib
import shutil
import subprocess
import sys

import corpus_apt
import corpus_node
import corpus_objects
import corpus_synthetic

PINS = pathlib.Path(__file__).resolve().parent.parent / "corpora"
KINDS = {
    "node": corpus_node.build,
    "apt": corpus_apt.build,
    "objects": corpus_objects.build,
    "tiny": corpus_synthetic.build_tiny,
    "large": corpus_synthetic.build_large,
}


@dataclasses.dataclass
class Corpus:
    """Two states of one directory; `first` and `second` are never changed once they are built."""

    name: str
    first: pathlib.Path
    second: pathlib.Path

    def place(self, directory):
        """Puts the first state at `directory`, which is absent."""
        subprocess.run(["cp", "-a", self.first, directory], check=True)

    def advance(self, directory):
        """Makes the second state of the first; whatever is the same in both keeps inode and times."""
        subprocess.run(["rsync", "-a", "-H", "--delete", "--modify-window=-1", f"{self.second}/", f"{directory}/"],
                       check=True)

    def touch(self, directory):
        """All entries anew, with new inodes and times, and the same content."""
        fresh = directory.with_name(directory.name + ".fresh")
        subprocess.run(["cp", "-r", "-d", "--preserve=mode,links", directory, fresh], check=True)
        old = directory.with_name(directory.name + ".old")
        old.mkdir()
        for name in sorted(path.name for path in directory.iterdir()):
            (directory / name).rename(old / name)
        for name in sorted(path.name for path in fresh.iterdir()):
            (fresh / name).rename(directory / name)


def prepare(name, cache):
    """The corpus, which is built if it is not there, or was built from other pins."""
    directory = pathlib.Path(cache) / name
    stamp = directory / "complete"
    digest = _digest(name)
    if not stamp.is_file() or stamp.read_text() != digest:
        print(f"Building the corpus {name} in {directory}", file=sys.stderr)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        corpus = Corpus(name, directory / "v1", directory / "v2")
        KINDS[name](PINS / name, corpus)
        stamp.write_text(digest)
    return Corpus(name, directory / "v1", directory / "v2")


def describe(corpus):
    """What docs/performance.md says of a corpus; floor_bytes: all that is new in v2, and nothing else, by zstd -3. What
    differs is told by whole files, and so not at all where there is only one."""
    first = list(_files(corpus.first))
    about = {"files": len(first), "bytes": sum(path.lstat().st_size for path in first)}
    if len(first) == 1:
        return about
    old = {path.relative_to(corpus.first): path for path in first}
    new = [path for path in _files(corpus.second) if not _same(old.get(path.relative_to(corpus.second)), path)]
    packed = subprocess.run(["zstd", "-3", "-T0", "-c"], input=b"".join(path.read_bytes() for path in new),
                            stdout=subprocess.PIPE, check=True)
    return about | {"changed_files": len(new), "changed_bytes": sum(path.lstat().st_size for path in new),
                    "floor_bytes": len(packed.stdout)}


def _files(directory):
    return (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())


def _same(old, new):
    return old is not None and filecmp.cmp(old, new)


def _digest(name):
    """Of everything that the corpus is made from; a change of its code counts with the VERSION beside it."""
    total = hashlib.sha256(str(sys.modules[KINDS[name].__module__].VERSION).encode())
    for path in sorted(path for path in (PINS / name).rglob("*") if path.is_file()):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
