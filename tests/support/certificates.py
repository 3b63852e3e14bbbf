"""Certificates of servers, signed by a certificate authority of the test."""

import ssl
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from deploy.tls import certificates


class Authority:
    """`ca_file` is its certificate in PEM."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._authority = certificates.Authority()
        self.ca_file = directory / "ca.pem"
        self.ca_file.write_bytes(self._authority.pem)

    def server_tls(self, host: str) -> ssl.SSLContext:
        """For a server that is `host`, a name or an IP address."""
        key = ec.generate_private_key(ec.SECP256R1())
        file = self._directory / f"{host.replace(':', '-')}.pem"
        file.write_bytes(certificates.pem_of(key) + self._authority.server(key, [host]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context
