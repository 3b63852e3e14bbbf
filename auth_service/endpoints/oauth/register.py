"""/register: dynamic client registration (RFC 7591) and its management (RFC 7592)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from auth_service.endpoints.dependencies import MetricsDep, RegistrationsDep
from auth_service.http.json_response import json_response
from auth_service.http.openapi import error_responses, json_body
from auth_service.http.peer_address import peer_address
from auth_service.http.route_traits import REGISTRATION
from auth_service.registration.request import RegistrationClosed, parse_registration
from tallystick.access_token_request import bearer_token
from tallystick.errors import InvalidClientMetadata, MissingToken

router = APIRouter(tags=["Registration"])

_BODY = json_body("client metadata (RFC 7591 §2)")


@router.post(
    "/register",
    status_code=201,
    response_class=Response,
    responses=error_responses(400, 401, 403, 413, 429, 503),
    openapi_extra=_BODY,
)
@REGISTRATION
async def register(request: Request, registrations: RegistrationsDep) -> Response:
    """Register a client. Depending on the configuration, the initial access token is required or optional. The operator
    vouches for a client that is registered with it."""
    if not registrations.is_offered:
        raise RegistrationClosed("clients cannot register themselves here: the setting [registration] mode is off")
    address = peer_address(request)
    authorization = request.headers.getlist("authorization")
    with_initial_token = registrations.needs_token or (registrations.takes_token and bool(authorization))
    if with_initial_token:
        try:
            token = bearer_token(authorization)
        except MissingToken:
            raise MissingToken(
                "registration needs the initial access token: the settings are [registration] mode and"
                " [registration] initial_access_token"
            ) from None
        await registrations.check_initial_access_token(token, address=address)
    metadata = await _metadata(request)
    registered = await registrations.register(metadata, address=address, with_initial_token=with_initial_token)
    return json_response(registered, 201)


@router.get("/register/{client_id}", response_class=Response, responses=error_responses(400, 401, 429, 503))
@REGISTRATION
async def read(client_id: str, request: Request, registrations: RegistrationsDep) -> Response:
    """Return the registration to the client, which sends its registration access token."""
    token = bearer_token(request.headers.getlist("authorization"))
    return json_response(await registrations.read(client_id, token, address=peer_address(request)))


@router.put(
    "/register/{client_id}",
    response_class=Response,
    responses=error_responses(400, 401, 413, 429, 503),
    openapi_extra=_BODY,
)
@REGISTRATION
async def replace(client_id: str, request: Request, registrations: RegistrationsDep) -> Response:
    """Replace all of the registered metadata."""
    token = bearer_token(request.headers.getlist("authorization"))
    return json_response(
        await registrations.replace(client_id, token, await _metadata(request), address=peer_address(request))
    )


@router.delete(
    "/register/{client_id}", status_code=204, response_class=Response, responses=error_responses(400, 401, 429, 503)
)
@REGISTRATION
async def remove(client_id: str, request: Request, registrations: RegistrationsDep, metrics: MetricsDep) -> Response:
    """Delete the registration with all of the client's tokens and consents."""
    token = bearer_token(request.headers.getlist("authorization"))
    await registrations.remove(client_id, token, address=peer_address(request))
    metrics.revocations.inc("registration_deleted")
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


async def _metadata(request: Request) -> dict[str, Any]:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise InvalidClientMetadata("the body must be application/json", reason="body_not_json")
    return parse_registration(await request.body())
