"""Two small Django projects to move from, with SimpleJWT or with django-oauth-toolkit. Run as a program of its own.

It reads one JSON value from each line of standard input and answers with one line: "dump" with users, tokens and the
output of dumpdata; [token, now, key set] with the status and body of the API for that token at that time.
"""

# mypy: disable-error-code="import-untyped"

import io
import json
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

import django
from django.conf import settings

ISSUER, AUDIENCE = "https://id.example.com", "https://api.example.com"
SECRET = "django-insecure-" + "s" * 40
END = date(2027, 6, 30)
PASSWORD = "correct horse battery staple"

KIND = sys.argv[1]
settings.configure(
    SECRET_KEY=SECRET,
    ALLOWED_HOSTS=["testserver"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        *(["oauth2_provider"] if KIND == "oauth_toolkit" else []),
    ],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.hashers import (  # noqa: E402
    Argon2PasswordHasher,
    BCryptSHA256PasswordHasher,
    PBKDF2PasswordHasher,
    PBKDF2SHA1PasswordHasher,
    ScryptPasswordHasher,
)
from django.contrib.auth.models import Group  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.authentication import BaseAuthentication, get_authorization_header  # noqa: E402
from rest_framework.exceptions import AuthenticationFailed  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402
from rest_framework.views import APIView, Response  # noqa: E402

from tallystick.errors import InvalidToken  # noqa: E402
from tallystick.jwk import parse_jwk_set  # noqa: E402
from tallystick.legacy import LegacyClaims, LegacyIssuer, LegacyIssuers  # noqa: E402
from tallystick.token_checker import KeySet, Statuses, TokenChecker  # noqa: E402

now = 0
keys = KeySet({})
checker = TokenChecker(ISSUER, AUDIENCE)
legacy = LegacyIssuers(
    [
        LegacyIssuer(
            issuer=None,
            audience=None,
            algorithm="HS256",
            secret=SECRET,
            accept_until=END,
            scopes=["notes:read"],
        )
    ],
    issuer=ISSUER,
)


class Caller:
    is_authenticated = True


class LegacyAuthentication(BaseAuthentication):  # type: ignore[misc]
    """Tokens of SimpleJWT, until the end date. It leaves every other token to the next class."""

    def authenticate(self, request: Any) -> tuple[Caller, LegacyClaims] | None:
        token = get_authorization_header(request).decode("latin-1").partition(" ")[2]
        issuer = legacy.issuer_of(token)
        if issuer is None:
            return None
        try:
            return Caller(), issuer.check(token, now)
        except InvalidToken as refused:
            raise AuthenticationFailed(refused.description) from refused

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class OurAuthentication(BaseAuthentication):  # type: ignore[misc]
    """The check of `tallystick.drf`, with keys that a test sends instead of fetched ones."""

    def authenticate(self, request: Any) -> tuple[Caller, Any]:
        token = get_authorization_header(request).decode("latin-1").partition(" ")[2]
        try:
            return Caller(), checker.check(token, keys, Statuses(), now)
        except InvalidToken as refused:
            raise AuthenticationFailed(refused.description) from refused

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


def old_authentication() -> type[BaseAuthentication]:
    if KIND == "simplejwt":
        return LegacyAuthentication
    from oauth2_provider.contrib.rest_framework import OAuth2Authentication

    class ToolkitAuthentication(OAuth2Authentication):  # type: ignore[misc]
        """Its tokens are looked up in the database. An unknown token is left to the next class."""

        def authenticate(self, request: Any) -> Any:
            ended = datetime.fromtimestamp(now, UTC).date() > END
            return None if ended else super().authenticate(request)

    return ToolkitAuthentication


class Api(APIView):  # type: ignore[misc]
    authentication_classes = (old_authentication(), OurAuthentication)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Any) -> Response:
        sub = getattr(request.auth, "sub", None) or str(request.user.pk)
        return Response({"kind": type(request.auth).__name__, "sub": sub})


urlpatterns = [path("", Api.as_view())]


def create_users() -> dict[str, str]:
    """A user for each of Django's hashers. Returns the primary key by email."""
    salt = "saltsaltsaltsalt"
    hashes = {
        "pbkdf2": PBKDF2PasswordHasher().encode(PASSWORD, salt, 1000),
        "pbkdf2_sha1": PBKDF2SHA1PasswordHasher().encode(PASSWORD, salt, 1000),
        "argon2": Argon2PasswordHasher().encode(PASSWORD, salt),
        "bcrypt": BCryptSHA256PasswordHasher().encode(PASSWORD, b"$2b$04$abcdefghijklmnopqrstuu"),
        "scrypt": ScryptPasswordHasher().encode(PASSWORD, salt, n=1024),
    }
    group = Group.objects.create(name="editors")
    found = {}
    for name, password_hash in hashes.items():
        user = get_user_model().objects.create(
            username=name, email=f"{name}@example.com", first_name="Grace", password=password_hash
        )
        user.groups.add(group)
        found[user.email] = str(user.pk)
    unusable = get_user_model().objects.create(username="sso", email="sso@example.com")
    unusable.set_unusable_password()
    unusable.save()
    get_user_model().objects.create_user("nomail", password=None)
    return found


def token_of(user: Any) -> str:
    if KIND == "simplejwt":
        from rest_framework_simplejwt.tokens import AccessToken

        token = AccessToken.for_user(user)
        token.set_exp(from_time=datetime(2027, 6, 30, 23, 58, tzinfo=UTC), lifetime=timedelta(minutes=10))
        return str(token)
    from oauth2_provider.models import AccessToken as ToolkitToken
    from oauth2_provider.models import Application

    application = Application.objects.create(name="Old app", client_type="public", authorization_grant_type="password")
    ToolkitToken.objects.create(
        user=user,
        application=application,
        token="old-opaque-token",
        scope="read",
        expires=datetime(2100, 1, 1, tzinfo=UTC),
    )
    return "old-opaque-token"


def dump() -> dict[str, Any]:
    call_command("migrate", verbosity=0)
    users = create_users()
    output = io.StringIO()
    token = token_of(get_user_model().objects.get(username="pbkdf2"))
    call_command("dumpdata", "auth.group", "auth.user", *_toolkit_models(), stdout=output)
    return {"users": users, "token": token, "dump": output.getvalue()}


def _toolkit_models() -> list[str]:
    return ["oauth2_provider.application"] if KIND == "oauth_toolkit" else []


def main() -> None:
    global now, keys
    for line in sys.stdin:
        asked = json.loads(line)
        if asked == "dump":
            answer: object = dump()
        else:
            token, now, key_set = asked
            keys = KeySet(parse_jwk_set(key_set.encode()))
            response = APIClient().get("/", headers={"authorization": f"Bearer {token}"})
            answer = [response.status_code, response.json()]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
