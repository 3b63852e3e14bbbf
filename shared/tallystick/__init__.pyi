from tallystick.claims import AccessTokenClaims as AccessTokenClaims
from tallystick.errors import InvalidToken as InvalidToken
from tallystick.errors import TemporarilyUnavailable as TemporarilyUnavailable
from tallystick.verifier import AsyncVerifier as AsyncVerifier
from tallystick.verifier import Verifier as Verifier
