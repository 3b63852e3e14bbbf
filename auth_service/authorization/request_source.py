"""The step before parsing: find the parameters of an authorization request."""

from auth_service.authorization.request import AuthorizationRequest


async def resolve_request(query: str) -> AuthorizationRequest:
    """The request that the query of /authorize makes. It is resolved again after each page, from the same query.

    The parameters are in the query itself (RFC 6749 §4.1.1). A request object or a pushed request would be fetched
    and verified here. Raises InvalidRequest for a query that cannot be parsed.
    """
    return AuthorizationRequest.parse(query)
