"""Django's scrypt hashes, `scrypt$16384$salt$8$5$…`, for which passlib has no handler (RFC 7914)."""

import base64
import binascii
import hashlib
import re
from typing import Any, Self

from passlib.utils import handlers  # type: ignore[import-untyped]

_HASH = re.compile(r"scrypt\$(\d{1,8})\$([^$]{1,128})\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9+/]{86}==)", re.ASCII)
_CHECKSUM_BYTES = 64


class DjangoScrypt(handlers.GenericHandler):  # type: ignore[misc]
    """A handler for passlib's CryptContext. The caller bounds the cost: see `password_costs`."""

    name = "django_scrypt"
    setting_kwds = ("salt", "n", "r", "p")
    ident = "scrypt$"
    checksum_size = 88  # characters: base64 of 64 bytes

    def __init__(self, n: int = 2**14, r: int = 8, p: int = 5, salt: str = "salt", **options: Any) -> None:
        super().__init__(**options)
        self.n, self.r, self.p, self.salt = n, r, p, salt

    @classmethod
    def from_string(cls, hash: str | bytes) -> Self:  # noqa: A002  # the name in passlib
        """Raises ValueError for another form."""
        match = _HASH.fullmatch(hash.decode() if isinstance(hash, bytes) else hash)
        if match is None:
            raise ValueError("not a scrypt hash of Django")
        try:
            base64.b64decode(match[5], validate=True)
        except binascii.Error:
            raise ValueError("not a scrypt hash of Django") from None
        return cls(int(match[1]), int(match[3]), int(match[4]), match[2], checksum=match[5])

    def to_string(self) -> str:
        return f"scrypt${self.n}${self.salt}${self.r}${self.p}${self.checksum}"

    def _calc_checksum(self, secret: str | bytes) -> str:
        secret = secret.encode() if isinstance(secret, str) else secret
        # OpenSSL needs a little more than 128·n·r + 128·r·p bytes.
        digest = hashlib.scrypt(
            secret,
            salt=self.salt.encode(),
            n=self.n,
            r=self.r,
            p=self.p,
            maxmem=256 * self.r * (self.n + self.p) + 2**20,
            dklen=_CHECKSUM_BYTES,
        )
        return base64.b64encode(digest).decode()


def waste_scrypt(n: int, r: int, p: int, secret: str) -> None:
    """Compute a hash with these parameters, and discard it."""
    DjangoScrypt(n, r, p)._calc_checksum(secret)
