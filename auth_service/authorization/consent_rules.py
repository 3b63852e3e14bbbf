"""Whether the user is asked for consent, and for which scopes."""

from auth_service.authorization.pending import CheckedAuthorization
from auth_service.client_metadata.redirect_uris import has_private_use_scheme, leads_to_the_device


def is_consent_due(authorization: CheckedAuthorization, consented: frozenset[str]) -> bool:
    """`consented` are the scopes that the user allowed this client earlier."""
    if is_asked_each_time(authorization):
        return True
    return not authorization.client.first_party and not consented.issuperset(scopes_to_consent(authorization))


def is_asked_each_time(authorization: CheckedAuthorization) -> bool:
    return is_local_program(authorization) or "consent" in authorization.request.prompts


def is_local_program(authorization: CheckedAuthorization) -> bool:
    """Whether any program on the user's device could impersonate this client: then always ask (RFC 8252 §8.6).

    A program that listens on a loopback port cannot redeem the code of a client with a secret. With a private-use
    scheme it can, because the real app passes the code on to the server that has the secret, and so can the program.
    """
    uri = authorization.request.redirect_uri or ""
    return has_private_use_scheme(uri) or (authorization.client.is_public and leads_to_the_device(uri))


def scopes_to_consent(authorization: CheckedAuthorization) -> tuple[str, ...]:
    """The scopes that the consent page lists: those of the request, and those of the single claims that it requests."""
    scopes_of_claims = authorization.request.claims.within(authorization.client.scopes).scopes
    return tuple(dict.fromkeys([*authorization.request.scopes, *sorted(scopes_of_claims)]))


def required_stored_consent(authorization: CheckedAuthorization) -> frozenset[str]:
    """The scopes that the stored consent must cover when the code is issued; empty if no stored consent is needed."""
    if authorization.client.first_party or is_local_program(authorization):
        return frozenset()
    return frozenset(scopes_to_consent(authorization))
