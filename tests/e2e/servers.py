"""Servers for the tests, on an ephemeral port of 127.0.0.1: files and git over HTTP, and an SSH daemon."""

import contextlib
import http.server
import os
import pathlib
import shutil
import ssl
import subprocess
import threading

from harness import eventually, free_port

GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
}


def git(directory, *arguments):
    """Runs git in a directory, and returns what it printed."""
    command = ["git", "-C", str(directory), "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always",
               "-c", "safe.directory=*", *map(str, arguments)]
    return subprocess.run(command, env=GIT_ENVIRONMENT, check=True, capture_output=True, text=True).stdout.strip()


def commit_all(directory, message="A state"):
    """Commits everything in the directory (a repository is made where there is none); returns the sha."""
    if not (pathlib.Path(directory) / ".git").exists():
        git(directory, "init", "--quiet")
    git(directory, "add", "--all", "--force")
    git(directory, "commit", "--quiet", "--allow-empty", "-m", message)
    return git(directory, "rev-parse", "HEAD")


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif ".git/" in self.path and self.server.smart:
            self._backend(b"")
        else:
            super().do_GET()

    def end_headers(self):
        if self.path in self.server.entity_tags:
            self.send_header("ETag", self.server.entity_tags[self.path])
        super().end_headers()

    def send_header(self, keyword, value):
        if keyword != "Last-Modified" or not self.server.no_times:
            super().send_header(keyword, value)

    def do_POST(self):
        self.server.requests.append(self.path)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._backend(body)

    def _chunk(self):
        size = int(self.rfile.readline().strip() or b"0", 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _backend(self, body):
        path, _, query = self.path.partition("?")
        environment = dict(GIT_ENVIRONMENT, GIT_PROJECT_ROOT=self.server.directory, GIT_HTTP_EXPORT_ALL="1",
                           REQUEST_METHOD=self.command, PATH_INFO=path, QUERY_STRING=query,
                           CONTENT_TYPE=self.headers.get("Content-Type", ""), REMOTE_ADDR="127.0.0.1",
                           CONTENT_LENGTH=str(len(body)), GIT_PROTOCOL=self.headers.get("Git-Protocol", ""),
                           HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
                           GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
        answer = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True,
                                check=False).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "status":
                status = int(value.split()[0])
            elif name:
                headers.append((name, value))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def make_certificate(directory):
    """A certificate for 127.0.0.1 that signs itself; returns the paths of the certificate and its key."""
    certificate, key = pathlib.Path(directory) / "certificate.pem", pathlib.Path(directory) / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


class FileServer:
    """Serves a directory over HTTP. `smart`: repositories NAME.git by git's smart protocol, else as plain files.

    With `certificate` (a pair as make_certificate returns it) it speaks TLS. It names an ETag only where entity_tags has
    one, and a file's Last-Modified unless `no_times`.
    """

    def __init__(self, directory, smart=False, certificate=None, no_times=False):
        directory = str(directory)
        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), lambda *arguments: _Handler(*arguments, directory=directory))
        self._server.daemon_threads = True
        self._server.directory = directory
        self._server.smart = smart
        self._server.requests = []
        self._server.redirects = {}
        self._server.entity_tags = {}
        self._server.no_times = no_times
        self.port = self._server.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def requests(self):
        return self._server.requests

    @property
    def entity_tags(self):
        return self._server.entity_tags

    @property
    def redirects(self):
        return self._server.redirects

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def ssh_server(directory, address="127.0.0.1", port=None):
    """An sshd with a key that may log in; yields (port, the private key's text, a known_hosts line, the process)."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True)
    port = port or free_port()
    (directory / "sshd_config").write_text(
        f"ListenAddress {address}:{port}\nHostKey {directory}/host\nPidFile {directory}/pid\n"
        f"AuthorizedKeysFile {directory}/user.pub\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n")
    with contextlib.suppress(PermissionError):
        os.makedirs("/run/sshd", exist_ok=True)
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin") or "/usr/sbin/sshd"
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", str(directory / "sshd_config")], stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: process.poll() is not None or "listening" in (directory / "log").read_text(), "sshd starts", 10)
        kind, host = (directory / "host.pub").read_text().split()[:2]
        known = address if port == 22 else f"[{address}]:{port}"
        yield port, (directory / "user").read_text(), f"{known} {kind} {host}\n", process
    finally:
        process.terminate()
        process.wait(timeout=10)
