"""Verifies the access token of a request that nginx has received. Run it where only nginx reaches it:

ISSUER=http://localhost:8000 AUDIENCE=http://localhost:8001 uvicorn examples.auth_request.verifier:app --port 8020
"""

import os
from typing import Annotated

from fastapi import FastAPI, Response

from tallystick.claims import AccessTokenClaims
from tallystick.fastapi import Tallystick

app = FastAPI(openapi_url=None)
auth = Tallystick(issuer=os.environ["ISSUER"], audience=os.environ["AUDIENCE"])
app.include_router(auth.metadata)


@app.get("/verify")
async def verify(claims: Annotated[AccessTokenClaims, auth.requires("notes:read")]) -> Response:
    return Response(status_code=204, headers={"X-Sub": claims.sub})
