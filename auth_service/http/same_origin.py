"""Whether a form was sent by a page of this service."""

from starlette.requests import Request

from auth_service.client_metadata.redirect_uris import web_origin


def is_same_origin(request: Request, issuer: str) -> bool:
    """Whether the Origin header names the origin of `issuer`. A missing, repeated or `null` header does not.

    Browsers send Origin with every POST, and a page cannot choose its value. Our pages with forms need
    `Referrer-Policy: same-origin`: under no-referrer, Chrome sends `Origin: null`, as another site's sandboxed frame
    does.
    """
    return request.headers.getlist("origin") == [web_origin(issuer)]
