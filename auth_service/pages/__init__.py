"""HTML pages: templates, one stylesheet, and one script of one line. Every page works without the script."""

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

# No form-action: Chrome applies it to every redirect that follows a form, and ours lead to the clients.
_CSP = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _CSP,
    # Not no-referrer: Chrome would send `Origin: null` with our forms, as it does for forms of other sites' sandboxes.
    "Referrer-Policy": "same-origin",
}


def page(template: str, *, status: int = 200, headers: dict[str, str] | None = None, **context: object) -> HTMLResponse:
    """Render `template`.html. Raises jinja2.UndefinedError if `context` lacks a name that the template needs."""
    html = _environment.get_template(f"{template}.html").render(context)
    return HTMLResponse(html, status, headers=_HEADERS | (headers or {}))


def form_post_page(action: str, fields: Mapping[str, str], *, client: object) -> HTMLResponse:
    """A form with `fields` that a script posts to `action`; without scripts, by a button (Form Post Response Mode §2).

    The Content-Security-Policy allows this one script, so that an injected script does not run.
    """
    headers = {"Content-Security-Policy": f"{_CSP}; script-src 'sha256-{_SUBMIT_HASH}'"}
    return page("form_post", headers=headers, action=action, fields=fields, client=client, script=_SUBMIT)
