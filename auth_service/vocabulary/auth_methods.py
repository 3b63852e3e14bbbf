"""The values of `token_endpoint_auth_method` (RFC 7591 §2, OIDC Core §9)."""

from typing import Literal, get_args

SecretMethod = Literal["client_secret_basic", "client_secret_post"]
ConfidentialMethod = Literal[SecretMethod, "private_key_jwt"]
AuthMethod = Literal[ConfidentialMethod, "none"]

SECRET_METHODS: tuple[SecretMethod, ...] = get_args(SecretMethod)
CONFIDENTIAL_METHODS: tuple[ConfidentialMethod, ...] = get_args(ConfidentialMethod)
AUTH_METHODS: tuple[AuthMethod, ...] = get_args(AuthMethod)
