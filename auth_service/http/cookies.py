"""A cookie that scripts cannot read and that belongs to one host."""

from starlette.requests import Request
from starlette.responses import Response


class Cookie:
    """`lifetime` is seconds. Under https the name has the prefix `__Host-`, so that no other host can set the cookie.

    SameSite is Lax, because users come to /authorize by a link on another site.
    """

    def __init__(self, name: str, *, lifetime: int, is_https: bool) -> None:
        self.name = f"__Host-{name}" if is_https else name
        self._lifetime = lifetime
        self._is_https = is_https

    def read(self, request: Request) -> str | None:
        """The value. None if the browser sends no such cookie, or several, because one of them is not ours."""
        pairs = (pair.partition("=") for header in request.headers.getlist("cookie") for pair in header.split(";"))
        values = [value.strip() for name, _, value in pairs if name.strip() == self.name]
        return values[0] if len(values) == 1 else None

    def set(self, response: Response, value: str) -> None:
        response.set_cookie(
            self.name, value, max_age=self._lifetime, path="/", secure=self._is_https, httponly=True, samesite="lax"
        )

    def expire(self, response: Response) -> None:
        response.delete_cookie(self.name, path="/", secure=self._is_https, httponly=True, samesite="lax")
