"""HTML for people: templates, one stylesheet, and one script of one line, without which a page works, too."""

import base64
from collections.abc import Mapping
from hashlib import sha256
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

_SUBMIT = "document.forms[0].submit()"
_SUBMIT_HASH = base64.b64encode(sha256(_SUBMIT.encode()).digest()).decode()

# Without form-action: Chrome holds it against every redirect after the form was sent, and ours lead to the clients.
_CSP = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _CSP,
    # Not no-referrer, under which a form of ours is sent with `Origin: null` and could not be told from a stranger's.
    "Referrer-Policy": "same-origin",
}


def page(template: str, *, status: int = 200, headers: dict[str, str] | None = None, **context: object) -> HTMLResponse:
    """Render `template`.html. A name that the template needs and `context` lacks is an error, not an empty space."""
    html = _environment.get_template(f"{template}.html").render(context)
    return HTMLResponse(html, status, headers=_HEADERS | (headers or {}))


def form_post_page(action: str, fields: Mapping[str, str], *, client: object) -> HTMLResponse:
    """A form with `fields` that sends itself to `action`, or is sent by a button where scripts are off.

    Form Post Response Mode §2. The policy lets this one script run, and no other that somebody might slip in.
    """
    headers = {"Content-Security-Policy": f"{_CSP}; script-src 'sha256-{_SUBMIT_HASH}'"}
    return page("form_post", headers=headers, action=action, fields=fields, client=client, script=_SUBMIT)
