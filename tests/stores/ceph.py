"""A Ceph cluster of one monitor and one OSD with a RADOS Gateway: S3, Swift v1, both over http and https."""

import uuid

from daemons import answers, free_ports, write_ini

ACCESS_KEY = "hearthaccess"
SECRET_KEY = "hearth-secret-of-the-tests"
SWIFT_KEY = "hearth-swift-key"


def install():
    """Debian's packages are all it needs."""


class Cluster:
    def __init__(self, state):
        self.state = state
        self.conf = state.path / "ceph.conf"
        self.http, self.https, self.mon, self.osd = free_ports(4)

    def ceph(self, *words):
        return self.state.run("ceph", "-c", self.conf, "--connect-timeout", "20", *words)

    def configure(self):
        state = self.state
        certificate, key = state.certificate()
        everywhere = {
            "fsid": uuid.uuid4(),
            "mon initial members": "a",
            "mon host": f"[v2:127.0.0.1:{self.mon}/0]",
            "public addr": "127.0.0.1",
            "cluster addr": "127.0.0.1",
            "ms bind ipv6": "false",
            "ms bind msgr1": "false",
            "ms bind port min": self.osd,
            "ms bind port max": self.osd + 50,
            "keyring": state.path / "keyring",
            "run dir": state.directory("run"),
            "admin socket": state.directory("run") / "$name.asok",
            "log file": state.directory("log") / "$name.log",
            "mon cluster log file": state.directory("log") / "cluster.log",
            "crash dir": state.directory("crash"),
            "auth allow insecure global id reclaim": "false",
            # One copy on one disk.
            "osd pool default size": 1,
            "osd pool default min size": 1,
            "osd pool default pg num": 4,
            "osd pool default pgp num": 4,
            "osd pool default pg autoscale mode": "off",
            "osd crush chooseleaf type": 0,
            "mon allow pool size one": "true",
            "mon max pg per osd": 1000,
            # A disk that is nearly full is no reason to refuse to start.
            "mon data avail warn": 2,
            "mon data avail crit": 1,
        }
        gateway = {
            "rgw frontends": f"beast tcp_nodelay=1 endpoint=127.0.0.1:{self.http} ssl_endpoint=127.0.0.1:{self.https} "
                             f"ssl_certificate={certificate} ssl_private_key={key}",
            "rgw dns name": "localhost",
            "rgw enable apis": "s3, swift, swift_auth, admin, sts, iam",
            "rgw thread pool size": 64,
            "rgw crypt require ssl": "false",
            "rgw data": state.directory("rgw"),
        }
        write_ini(self.conf, {
            "global": everywhere,
            "mon": {"mon data": state.directory("mon") / "$id"},
            "osd": {"osd data": state.directory("osd") / "$id", "osd objectstore": "bluestore",
                    "bluestore block size": 8 << 30, "bluestore block db create": "false",
                    "bluestore block wal create": "false", "osd memory target": 900 << 20,
                    "osd class update on start": "false"},
            "client.rgw.a": gateway,
        })
        return everywhere["fsid"]

    def make_keys(self):
        keyring = self.state.path / "keyring"
        caps = {
            "mon.": ["mon", "allow *"],
            "client.admin": ["mon", "allow *", "osd", "allow *"],
            "client.rgw.a": ["mon", "allow rw", "osd", "allow rwx"],
            "osd.0": ["mon", "allow profile osd", "osd", "allow *"],
        }
        for number, (name, granted) in enumerate(caps.items()):
            words = [word for pair in zip(granted[::2], granted[1::2]) for word in ("--cap", *pair)]
            create = ["--create-keyring"] if number == 0 else []
            self.state.run("ceph-authtool", *create, keyring, "--gen-key", "-n", name, *words)

    def make(self):
        """A new cluster: what the daemons start from."""
        fsid = self.configure()
        self.make_keys()
        monmap = self.state.path / "monmap"
        self.state.run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{self.mon}/0]", "--fsid", fsid, monmap)
        self.state.run("ceph-mon", "-c", self.conf, "-i", "a", "--mkfs", "--monmap", monmap, "--keyring",
                       self.state.path / "keyring")

    def start(self):
        state = self.state
        state.spawn("mon.a", "ceph-mon", "-c", self.conf, "-i", "a", "-f")
        state.wait(lambda: self.is_up("-s"), "the monitor")
        self.ceph("osd", "require-osd-release", "pacific", "--yes-i-really-mean-it")
        osd = str(uuid.uuid4())
        self.ceph("osd", "new", osd)
        state.directory("osd/0")
        state.run("ceph-osd", "-c", self.conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
        state.spawn("osd.0", "ceph-osd", "-c", self.conf, "-i", "0", "-f")
        state.wait(lambda: '"num_up_osds":1' in self.ceph("osd", "stat", "-f", "json").replace(" ", ""), "the OSD")
        state.spawn("rgw.a", "radosgw", "-c", self.conf, "-n", "client.rgw.a", "-f")
        state.wait(lambda: answers(f"http://127.0.0.1:{self.http}/"), "the gateway")

    def is_up(self, *words):
        try:
            self.state.run("ceph", "-c", self.conf, "--connect-timeout", "2", *words)
            return True
        except RuntimeError:
            return False

    def admin(self, *words):
        return self.state.run("radosgw-admin", "-c", self.conf, "-n", "client.rgw.a", "--admin-socket=",
                              f"--log-file={self.state.path}/log/admin.log", *words)

    def make_users(self):
        self.admin("user", "create", "--uid=hearth", "--display-name=Hearth", f"--access-key={ACCESS_KEY}",
                   f"--secret-key={SECRET_KEY}")
        self.admin("subuser", "create", "--uid=hearth", "--subuser=hearth:swift", "--access=full", "--key-type=swift",
                   f"--secret={SWIFT_KEY}")


def start(state):
    cluster = Cluster(state)
    cluster.make()
    cluster.start()
    cluster.make_users()
    return {
        "STORES_S3_ENDPOINT": f"http://127.0.0.1:{cluster.http}",
        "STORES_S3_TLS_ENDPOINT": f"https://localhost:{cluster.https}",
        "STORES_CA_FILE": state.certificate()[0],
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "us-east-1",
        "AWS_CA_BUNDLE": state.certificate()[0],
        "ST_AUTH": f"http://127.0.0.1:{cluster.http}/auth/v1.0",
        "STORES_SWIFT_TLS_AUTH": f"https://localhost:{cluster.https}/auth/v1.0",
        "ST_USER": "hearth:swift",
        "ST_KEY": SWIFT_KEY,
        "OS_CACERT": state.certificate()[0],
    }
