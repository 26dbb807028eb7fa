"""Fresh file systems to measure on, of which nothing is left afterwards."""

import contextlib
import os
import pathlib
import shutil
import subprocess

GIB = 1 << 30


class Volumes:
    """Makes them below a scratch directory. `kind`: ext4 (on a loop device), tmpfs, or dir (what the scratch lies on)."""

    def __init__(self, kind, scratch):
        self.kind = kind
        self.scratch = pathlib.Path(scratch)
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.made = 0

    @contextlib.contextmanager
    def fresh(self, room=16 * GIB, inodes=1_000_000):
        """A new, empty file system's path. It is gone when the context ends, also by an exception or a signal."""
        self.made += 1
        path = self.scratch / f"volume-{os.getpid()}-{self.made}"
        path.mkdir()
        mounted = False
        try:
            if self.kind == "ext4":
                self._mount_ext4(path, room, inodes)
                mounted = True
            elif self.kind == "tmpfs":
                _run("mount", "-t", "tmpfs", "-o", f"size={room},nr_inodes=0,mode=755", "bench", path)
                mounted = True
            yield path
        finally:
            if mounted:
                # Lazily: nothing of ours is at work in it any more, but an indexer of the desktop may be.
                _run("umount", "--lazy", path)
                path.rmdir()
            else:
                shutil.rmtree(path, ignore_errors=True)

    def remove(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _mount_ext4(self, path, room, inodes):
        image = path.with_suffix(".ext4")
        try:
            with open(image, "wb") as file:
                file.truncate(room)
            # Everything is initialised now, so that no kernel thread does it while we measure.
            _run("mkfs.ext4", "-q", "-F", "-N", str(inodes), "-m", "0",
                 "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
            _run("mount", "-o", "loop,noatime", image, path)
            shutil.rmtree(path / "lost+found")
            subprocess.run(["sync", "-f", path], check=True)
        finally:
            # The loop device keeps it; its space is free again as soon as that is gone, even if we are killed.
            image.unlink(missing_ok=True)


def _run(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
