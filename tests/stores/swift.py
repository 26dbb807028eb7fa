"""OpenStack Swift with all its services on this machine, one copy of everything: Swift v1 with tempauth, S3 by s3api."""

import getpass

from daemons import answers, environment, free_ports, write_ini

PIPELINE = ["catch_errors", "gatekeeper", "healthcheck", "cache", "listing_formats", "bulk", "tempurl", "s3api", "tempauth",
            "copy", "container_quotas", "slo", "dlo", "versioned_writes", "symlink"]


def install():
    """Debian's packages are all it needs."""


class Ring:
    """One of the three kinds of storage server, and the ring that says where it is."""

    def __init__(self, kind, port):
        self.kind, self.port = kind, port

    def configure(self, etc, common):
        write_ini(etc / f"{self.kind}-server.conf", {
            "DEFAULT": dict(common, bind_port=self.port, devices=etc.parent / "srv", mount_check="false",
                            disable_fallocate="true"),
            "pipeline:main": {"pipeline": f"healthcheck {self.kind}-server"},
            f"app:{self.kind}-server": {"use": f"egg:swift#{self.kind}"},
            "filter:healthcheck": {"use": "egg:swift#healthcheck"},
        })

    def build(self, state, etc):
        builder = f"{self.kind}.builder"
        state.run("swift-ring-builder", builder, "create", "4", "1", "0", cwd=etc)
        state.run("swift-ring-builder", builder, "add", "--region", "1", "--zone", "1", "--ip", "127.0.0.1", "--port",
                  self.port, "--device", "d1", "--weight", "1", cwd=etc)
        state.run("swift-ring-builder", builder, "rebalance", cwd=etc)


def write_proxy(etc, common, port, memcached, tls):
    filters = {f"filter:{name}": {"use": f"egg:swift#{name}"} for name in PIPELINE if name != "cache"}
    filters["filter:cache"] = {"use": "egg:swift#memcache", "memcache_servers": f"127.0.0.1:{memcached}"}
    filters["filter:tempauth"] |= {"user_hearth_hearth": "hearth-swift-key .admin", "storage_url_scheme": "default"}
    filters["filter:versioned_writes"] |= {"allow_object_versioning": "true"}
    filters["filter:s3api"] |= {"location": "us-east-1", "s3_acl": "false", "allow_multipart_uploads": "true",
                                "storage_domain": "localhost", "min_segment_size": 5 << 20}
    security = {"cert_file": tls[0], "key_file": tls[1]} if tls else {}
    write_ini(etc / "proxy-server.conf", {
        "DEFAULT": dict(common, bind_port=port, expose_info="true", **security),
        "pipeline:main": {"pipeline": " ".join([*PIPELINE, "proxy-server"])},
        "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true",
                             "allow_account_management": "true"},
        **filters,
    })


def start(state, tls=False):
    proxy, memcached, *ports = free_ports(5)
    etc = state.directory("etc")
    state.directory("srv/d1")
    common = {"bind_ip": "127.0.0.1", "workers": 0, "user": getpass.getuser(), "swift_dir": etc,
              "log_address": state.path / "no-syslog"}
    write_ini(etc / "swift.conf", {"swift-hash": {"swift_hash_path_suffix": "end", "swift_hash_path_prefix": "begin"},
                                   "storage-policy:0": {"name": "one", "default": "yes"}})
    rings = [Ring(kind, port) for kind, port in zip(("account", "container", "object"), ports)]
    # swift.conf is looked for in /etc unless this says otherwise.
    own = environment(SWIFT_CONF_FILE=etc / "swift.conf")
    as_root = ["-u", "root"] if getpass.getuser() == "root" else []
    state.spawn("memcached", "memcached", "-l", "127.0.0.1", "-p", memcached, "-U", "0", "-m", "32", *as_root)
    for ring in rings:
        ring.configure(etc, common)
        ring.build(state, etc)
        state.spawn(ring.kind, f"swift-{ring.kind}-server", etc / f"{ring.kind}-server.conf", "-v", env=own)
    write_proxy(etc, common, proxy, memcached, state.certificate() if tls else None)
    state.spawn("proxy", "swift-proxy-server", etc / "proxy-server.conf", "-v", env=own)
    scheme = "https" if tls else "http"
    for origin in [f"{scheme}://127.0.0.1:{proxy}", *(f"http://127.0.0.1:{port}" for port in ports)]:
        state.wait(lambda url=f"{origin}/healthcheck": answers(url), "a server of Swift")
    return {
        "ST_AUTH": f"{scheme}://127.0.0.1:{proxy}/auth/v1.0",
        "ST_USER": "hearth:hearth",
        "ST_KEY": "hearth-swift-key",
        "STORES_SWIFT_MEMCACHED": memcached,
        "STORES_CA_FILE": state.certificate()[0],
        "STORES_S3_ENDPOINT": f"{scheme}://127.0.0.1:{proxy}",
        "STORES_WITHOUT_SWAP": "s3api does not implement conditional puts",
        "STORES_ONE_COPY": "an object server that loses the race for a file answers 404, and there is no other",
        "AWS_ACCESS_KEY_ID": "hearth:hearth",
        "AWS_SECRET_ACCESS_KEY": "hearth-swift-key",
        "AWS_REGION": "us-east-1",
    }
