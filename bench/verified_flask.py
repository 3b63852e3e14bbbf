"""Views of Flask: ours, PyJWT's in a decorator and without a check. See bench.verified for the arguments.

PyJWT gets a key object, which it need not parse, with ES256 as ours, and a shared secret with HS256.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jwt
from flask import Flask, abort, g, request
from flask.typing import ResponseReturnValue
from werkzeug.test import create_environ

from bench.services import AUDIENCE
from bench.verified import BARE, ISSUER, ISSUER_TRANSPORT, OURS, PUBLIC_KEY, SECRET, Serve, measure, serve
from tallystick.flask import Tallystick

ES256, HS256 = "PyJWT, ES256", "PyJWT, HS256"
View = Callable[[], ResponseReturnValue]


def jwt_required(key: Any, algorithm: str) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def protected() -> ResponseReturnValue:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                abort(401)
            try:
                claims = jwt.decode(token, key, algorithms=[algorithm], audience=AUDIENCE, issuer=ISSUER)
            except jwt.InvalidTokenError:
                abort(401)
            if "notes:read" not in claims.get("scope", "").split():
                abort(403)
            g.claims = claims
            return view()

        return protected

    return decorate


def create_app() -> tuple[Flask, dict[str, str]]:
    """The app, and the path of each contender."""
    app = Flask(__name__)
    auth = Tallystick(ISSUER, AUDIENCE, transport=ISSUER_TRANSPORT)
    auth.init_app(app)

    @app.get("/ours")
    @auth.requires("notes:read")
    def ours() -> ResponseReturnValue:
        return {"sub": auth.claims.sub}

    @app.get("/es256")
    @jwt_required(PUBLIC_KEY, "ES256")
    def es256() -> ResponseReturnValue:
        return {"sub": g.claims["sub"]}

    @app.get("/hs256")
    @jwt_required(SECRET, "HS256")
    def hs256() -> ResponseReturnValue:
        return {"sub": g.claims["sub"]}

    @app.get("/bare")
    def bare() -> ResponseReturnValue:
        return {"sub": "user-1"}

    return app, {OURS: "/ours", ES256: "/es256", HS256: "/hs256", BARE: "/bare"}


def requests_to(app: Flask, path: str) -> Serve:
    base = create_environ(path)

    def call(token: str) -> int:
        statuses: list[str] = []

        def start_response(status: str, _headers: Any, _exception: Any = None) -> Callable[[bytes], object]:
            statuses.append(status)
            return lambda _data: None

        body = app.wsgi_app(base | {"HTTP_AUTHORIZATION": f"Bearer {token}"}, start_response)
        b"".join(body)
        body.close()  # type: ignore[attr-defined]
        return int(statuses[0].partition(" ")[0])

    return serve(call)


if __name__ == "__main__":
    app, paths = create_app()
    measure({name: requests_to(app, path) for name, path in paths.items()}, hmac=HS256)
