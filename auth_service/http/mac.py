"""What we hand to strangers and want back unchanged carries a MAC."""

import hmac
import json


def mac(key: bytes, purpose: str, *parts: str) -> bytes:
    """HMAC-SHA256 over `encode_parts` text."""
    return hmac.digest(key, encode_parts(purpose, *parts), "sha256")


def encode_parts(purpose: str, *parts: str) -> bytes:
    """The purpose and the parts as one text, which no other purpose or other parts would make."""
    return json.dumps([purpose, *parts]).encode()
