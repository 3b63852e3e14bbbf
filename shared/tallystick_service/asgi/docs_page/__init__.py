"""The page for trying an API: Swagger UI, served without any third-party host.

Swagger UI comes from the distribution `fastapi-offline`; page and scripts are our own. No script is inline, so the CSP
can be `script-src 'self'`.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from importlib.util import find_spec
from pathlib import Path
from string import Template

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from tallystick_service.asgi.asset import asset_endpoint

_FOLDER = Path(__file__).parent


def add_docs_page(
    app: FastAPI, *, client_id: str | None = None, scopes: Iterable[str] = (), connect_src: Iterable[str] = ()
) -> None:
    """Serve `/docs` for an application that was created with `docs_url=None, redoc_url=None`.

    *Authorize* runs the code flow with PKCE as the public client `client_id`, whose redirect_uri is
    `<origin>/docs/oauth2-redirect`. Without `client_id` the person enters one. `scopes` are preselected. `connect_src`:
    other origins that the page calls, such as the issuer's for its token endpoint.

    Raises RuntimeError when `fastapi-offline` is not installed.
    """
    page = Template((_FOLDER / "docs.html").read_text("utf-8")).substitute(
        title=escape(app.title),
        openapi_url=escape(app.openapi_url or ""),
        client_id=escape(client_id or ""),
        scopes=escape(" ".join(scopes)),
    )
    headers = {"content-security-policy": _csp(connect_src)}

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)

    def serve(name: str, path: Path, headers: Mapping[str, str]) -> None:
        app.add_api_route(f"/docs/{name}", asset_endpoint(path, headers), include_in_schema=False)

    serve("oauth2-redirect", _FOLDER / "oauth2-redirect.html", headers)
    for name in ("docs.css", "docs.js", "oauth2-redirect.js"):
        serve(name, _FOLDER / name, {})
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):  # large, and unchanged until the next release
        serve(name, _swagger_ui() / name, {"cache-control": "max-age=3600"})


@cache
def _swagger_ui() -> Path:
    """The folder of the distribution's assets. The package is not imported, because its code is not needed."""
    package = find_spec("fastapi_offline")
    if package is None or package.origin is None:
        raise RuntimeError("the docs page needs the assets in the distribution fastapi-offline")
    return Path(package.origin).parent / "static"


def _csp(connect_src: Iterable[str]) -> str:
    directives = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Swagger UI writes style attributes
        "img-src 'self' data:",
        " ".join(("connect-src 'self'", *connect_src)),
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return "; ".join(directives)
