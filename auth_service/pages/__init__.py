"""HTML for people: templates, one stylesheet, and no script."""

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse

_environment = Environment(
    loader=PackageLoader("auth_service.pages"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

STYLESHEET = files("auth_service.pages").joinpath("static/tallystick.css").read_bytes()

_HEADERS = {
    "Cache-Control": "no-store",
    # Without form-action: Chrome holds it against every redirect after the form was sent, and ours lead to the clients.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not no-referrer, under which a form of ours is sent with `Origin: null` and could not be told from a stranger's.
    "Referrer-Policy": "same-origin",
}


def page(template: str, *, status: int = 200, headers: dict[str, str] | None = None, **context: object) -> HTMLResponse:
    """Render `template`.html. A name that the template needs and `context` lacks is an error, not an empty space."""
    html = _environment.get_template(f"{template}.html").render(context)
    return HTMLResponse(html, status, headers=_HEADERS | (headers or {}))
