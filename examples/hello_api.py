"""The API of README.md. Three lines protect it."""

from typing import Annotated

from fastapi import FastAPI

from tallystick.claims import AccessTokenClaims
from tallystick.fastapi import Tallystick

app = FastAPI()
auth = Tallystick(issuer="http://localhost:8000", audience="http://localhost:8100")
app.include_router(auth.metadata)


@app.get("/hello")
async def hello(claims: Annotated[AccessTokenClaims, auth.requires("hello:read")]) -> str:
    return f"Hello, {claims.sub}!"
