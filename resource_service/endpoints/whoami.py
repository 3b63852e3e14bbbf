"""/whoami: the verified claims of the caller."""

from typing import Annotated

from fastapi import APIRouter, Response

from resource_service.endpoints.caching import mark_private
from resource_service.openapi import WITH_A_TOKEN, problems
from tallystick.claims import AccessTokenClaims
from tallystick.fastapi import Tallystick


def whoami_endpoint(auth: Tallystick) -> APIRouter:
    router = APIRouter(tags=["you"])

    @router.get("/whoami", response_model_exclude_unset=True, responses=problems(*WITH_A_TOKEN))
    async def whoami(claims: Annotated[AccessTokenClaims, auth.requires()], response: Response) -> AccessTokenClaims:
        """The verified claims of your access token. No scope is required."""
        mark_private(response)
        return claims

    return router
