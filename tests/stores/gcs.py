"""A fake Google Cloud Storage (fake_gcs.py says what it does): no emulator is in Debian or npm."""

import json
import pathlib
import sys

from daemons import answers, free_ports

PROGRAM = pathlib.Path(__file__).resolve().parent / "fake_gcs.py"


def install():
    """Python is all it needs."""


def write(path, document):
    path.write_text(json.dumps(document))
    return path


def start(state):
    anybody, login, secure = free_ports(3)
    certificate, key = state.certificate()
    signing = state.path / "signing.pem"
    public = state.path / "public.pem"
    state.run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", signing)
    state.run("openssl", "pkey", "-in", signing, "-pubout", "-out", public)
    state.spawn("gcs", sys.executable, "-B", PROGRAM, "--open", anybody, "--login", login, "--secure", secure,
                "--certificate", certificate, "--key", key, "--public-key", public)
    origin = f"http://127.0.0.1:{login}"
    for url in (f"http://127.0.0.1:{anybody}/", f"{origin}/", f"https://localhost:{secure}/"):
        state.wait(lambda url=url: answers(url), "the fake of Google Cloud Storage")
    subject = state.path / "subject.json"
    write(subject, {"token": "hearth-workload"})
    account = write(state.path / "account.json", {
        "type": "service_account", "project_id": "hearth-tests", "private_key_id": "1",
        "private_key": signing.read_text(), "client_email": "hearth@hearth-tests.invalid",
        "token_uri": f"{origin}/token"})
    user = write(state.path / "user.json", {
        "type": "authorized_user", "client_id": "hearth", "client_secret": "hearth-client-secret",
        "refresh_token": "hearth-refresh", "token_uri": f"{origin}/token"})
    federated = write(state.path / "federated.json", {
        "type": "external_account", "audience": "//iam/hearth", "token_url": f"{origin}/token",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "service_account_impersonation_url": f"{origin}/impersonate",
        "credential_source": {"file": str(subject), "format": {"type": "json", "subject_token_field_name": "token"}}})
    return {
        "STORES_GCS_EMULATOR": f"http://127.0.0.1:{anybody}",
        "STORES_GCS_ENDPOINT": origin,
        "STORES_GCS_TLS_ENDPOINT": f"https://localhost:{secure}",
        "STORES_GCS_ACCOUNT": account,
        "STORES_GCS_USER": user,
        "STORES_GCS_FEDERATED": federated,
        "STORES_GCS_METADATA": f"127.0.0.1:{login}",
        "STORES_CA_FILE": certificate,
    }
