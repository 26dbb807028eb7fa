"""Network namespaces: another machine, as far as the network goes. Only root can make them."""

import ctypes
import os
import socket
import subprocess
import threading

from daemons import end_with_parent

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """With a loopback of its own and nothing else. It ends with the thread that made it at the latest."""

    def __enter__(self):
        self._holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep inf"],
                                        stdout=subprocess.PIPE, preexec_fn=end_with_parent)
        if self._holder.stdout.readline() != b"up\n":
            raise RuntimeError("no network namespace can be made here")
        self._path = f"/proc/{self._holder.pid}/ns/net"
        return self

    def __exit__(self, *_):
        self._holder.kill()
        self._holder.wait()
        self._holder.stdout.close()

    @property
    def command(self):
        """What a command begins with that runs in it."""
        return ["nsenter", f"--net={self._path}"]

    def listen(self):
        """A socket that listens on its loopback, for a server outside of it."""
        made = []

        def inside():  # a thread can be in another namespace than its process
            with open(self._path, "rb") as namespace:
                if _libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    return
            made.append(socket.create_server(("127.0.0.1", 0), backlog=128))

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if not made:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return made[0]
