"""The templates of the pages, and the response headers of pages."""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from examples.web_app.settings import Settings

STATIC = Path(__file__).parent / "static"

HEADERS: Mapping[str, str] = {
    # No form-action: browsers apply it to redirects after a form, too, and the sign-out form redirects to the issuer.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers would send `Origin: null` with the forms
}


class Pages:
    def __init__(self, settings: Settings) -> None:
        self._templates = Environment(
            loader=PackageLoader(__name__),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["app"] = settings

    def render(self, template: str, *, status: int = 200, **context: object) -> HTMLResponse:
        html = self._templates.get_template(template).render(context)
        return HTMLResponse(html, status_code=status, headers=HEADERS)
