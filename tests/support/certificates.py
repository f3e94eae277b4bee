"""Certificates that are made in the test: an authority, servers and clients of it."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """A certificate authority of its own, with its files in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = trustme.CA()
        self.file = directory / "authority.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def server(self, *names: str, asks_for_client: bool = False) -> ssl.SSLContext:
        """Return what a server of these names needs; it may insist on a client's certificate of this authority."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(*(names or ("127.0.0.1", "localhost", "::1"))).configure_cert(context)
        if asks_for_client:
            context.verify_mode = ssl.CERT_REQUIRED
            self._ca.configure_trust(context)
        return context

    def server_files(self) -> tuple[str, str]:
        """Return the files of a server's certificate and key."""
        made = self._ca.issue_cert("127.0.0.1", "localhost")
        certificate, key = self._directory / "server.pem", self._directory / "server.key"
        made.cert_chain_pems[0].write_to_path(str(certificate))
        made.private_key_pem.write_to_path(str(key))
        return str(certificate), str(key)

    def client(self) -> tuple[str, str]:
        """Return the files of a client's certificate and key."""
        made = self._ca.issue_cert("client@example.com")
        certificate, key = self._directory / "client.pem", self._directory / "client.key"
        made.cert_chain_pems[0].write_to_path(str(certificate))
        made.private_key_pem.write_to_path(str(key))
        return str(certificate), str(key)

    def client_in_one_file(self) -> str:
        """Return a file with a client's certificate and its key."""
        path = self._directory / "client-and-key.pem"
        self._ca.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(str(path))
        return str(path)

    def directory(self) -> str:
        """Return a directory of authorities, named by their hashes as OpenSSL wants it."""
        # OpenSSL finds a certificate by the hash of its subject, which Python cannot compute; `openssl rehash` can.
        import subprocess

        path = self._directory / "authorities"
        path.mkdir(exist_ok=True)
        (path / "authority.pem").write_bytes(self.file.read_bytes())
        subprocess.run(["openssl", "rehash", str(path)], check=True, capture_output=True)
        return str(path)
