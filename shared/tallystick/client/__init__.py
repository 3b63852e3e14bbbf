"""For programs that call APIs: get access tokens for the program itself, and send them (RFC 6749 §4.4, RFC 6750)."""

from tallystick.client.client_credentials import ClientCredentials
from tallystick.client.errors import TokenError, TokenRequestRefused, TokenUnavailable, WrongOrigin

__all__ = ["ClientCredentials", "TokenError", "TokenRequestRefused", "TokenUnavailable", "WrongOrigin"]
