"""One endpoint twice in one app: open, and protected by `tallystick.fastapi`. Arguments: port, issuer."""

import sys
from typing import Annotated

import uvicorn
from fastapi import FastAPI

from bench.services import AUDIENCE
from tallystick.claims import AccessTokenClaims
from tallystick.fastapi import Tallystick


def create_app(issuer: str) -> FastAPI:
    app = FastAPI()
    auth = Tallystick(issuer=issuer, audience=AUDIENCE)
    app.include_router(auth.metadata)

    @app.get("/open")
    async def open_to_all() -> dict[str, str]:
        return {"sub": "anyone"}

    @app.get("/verified")
    async def verified(claims: Annotated[AccessTokenClaims, auth.requires("notes:read")]) -> dict[str, str]:
        return {"sub": claims.sub}

    return app


if __name__ == "__main__":
    port, issuer = sys.argv[1:]
    uvicorn.run(
        create_app(issuer),
        port=int(port),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
