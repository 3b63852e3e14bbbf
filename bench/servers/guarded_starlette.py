"""An endpoint of Starlette that `tallystick.starlette` protects. Arguments: port, issuer."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.services import AUDIENCE
from tallystick.starlette import Tallystick


def create_app(issuer: str) -> Starlette:
    auth = Tallystick(issuer=issuer, audience=AUDIENCE)

    @auth.requires("notes:read")
    async def verified(request: Request) -> JSONResponse:
        return JSONResponse({"sub": request.state.claims.sub})

    return Starlette(routes=[Route("/verified", verified), *auth.routes], lifespan=auth.lifespan)


if __name__ == "__main__":
    port, issuer = sys.argv[1:]
    uvicorn.run(create_app(issuer), port=int(port), log_level="warning", access_log=False)
