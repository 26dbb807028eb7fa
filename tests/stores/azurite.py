"""Azurite, the emulator of Azure Blob Storage, over http and https; from npm, below build/."""

import subprocess

from daemons import BUILD, answers, free_ports

VERSION = "3.37.0"
ACCOUNT = "devstoreaccount1"
# The development account's key, the same in every Azurite; public documentation, not a secret.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def program():
    return BUILD / "node_modules" / ".bin" / "azurite-blob"


def install():
    if program().exists():
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", str(BUILD),
                    f"azurite@{VERSION}"], check=True, stdout=subprocess.DEVNULL)


def start(state):
    plain, secure = free_ports(2)
    certificate, key = state.certificate()
    common = [program(), "--blobHost", "127.0.0.1", "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    state.spawn("azurite", *common, "--blobPort", plain, "--location", state.directory("data"))
    state.spawn("azurite-tls", *common, "--blobPort", secure, "--location", state.directory("data-tls"), "--cert",
                certificate, "--key", key)
    state.wait(lambda: answers(f"http://127.0.0.1:{plain}/"), "Azurite")
    state.wait(lambda: answers(f"https://127.0.0.1:{secure}/"), "Azurite with TLS")
    return {
        "STORES_AZURE_ENDPOINT": f"http://127.0.0.1:{plain}/{ACCOUNT}",
        "STORES_AZURE_TLS_ENDPOINT": f"https://localhost:{secure}/{ACCOUNT}",
        "STORES_CA_FILE": certificate,
        "SSL_CERT_FILE": certificate,
        "AZURE_STORAGE_ACCOUNT": ACCOUNT,
        "AZURE_STORAGE_KEY": KEY,
    }
