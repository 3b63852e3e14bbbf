"""The Django user of an access token: created once, found by issuer and subject only."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.test.utils import override_settings

from tests.support.django_project import USER_FROM_CLAIMS, migrated, project_of
from tests.support.token_issuer import TokenIssuer

THREADS = 8
PATHS = pytest.mark.parametrize("path", ["/user", "/async/user", "/drf/user"])


@pytest.fixture(autouse=True)
def project(issuer: TokenIssuer) -> Iterator[None]:
    migrated()
    get_user_model().objects.all().delete()
    with project_of(issuer, USER_FROM_CLAIMS=USER_FROM_CLAIMS):
        yield


def get(path: str, token: str) -> HttpResponse:
    return Client(raise_request_exception=False).get(path, headers={"Authorization": f"Bearer {token}"})


@PATHS
def test_user_is_created_at_the_first_request_and_found_at_the_next(path: str, issuer: TokenIssuer) -> None:
    first = get(path, issuer.access_token(sub="ada")).json()
    assert get(path, issuer.access_token(sub="ada")).json() == first
    assert get(path, issuer.access_token(sub="Ada")).json() != first
    user = get_user_model().objects.get(pk=first["pk"])
    assert not user.has_usable_password()
    assert (user.is_staff, user.is_superuser, user.email) == (False, False, "")


async def test_user_is_found_on_an_event_loop(issuer: TokenIssuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.access_token(sub='ada')}"}
    first = (await AsyncClient().get("/async/user", headers=headers)).json()
    assert (await AsyncClient().get("/user", headers=headers)).json() == first


def test_first_requests_at_the_same_time_create_one_user(issuer: TokenIssuer) -> None:
    token, barrier = issuer.access_token(sub="ada"), Barrier(THREADS)

    def first_request(_: int) -> int:
        barrier.wait()
        try:
            response = get("/drf/user", token)
            assert response.status_code == 200, response.content
            pk: int = response.json()["pk"]
            return pk
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(set(pool.map(first_request, range(THREADS)))) == 1
    assert get_user_model().objects.count() == 1


def test_user_who_is_created_between_look_up_and_insert_is_found(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order that a race may take, without a race."""
    from tallystick.django.users import mapping
    from tallystick.django.users.models import Subject

    find: Callable[[Any], Any] = mapping._find
    late = iter([True])

    def find_too_early(claims: Any) -> Any:
        if next(late, False):
            mapping._create(claims)
            raise Subject.DoesNotExist
        return find(claims)

    monkeypatch.setattr(mapping, "_find", find_too_early)
    assert get("/drf/user", issuer.access_token()).status_code == 200
    assert get_user_model().objects.count() == 1


def test_user_of_another_issuer_with_the_same_sub_or_e_mail_is_another_user(issuer: TokenIssuer) -> None:
    from tallystick.django.users.models import Subject

    local = get_user_model().objects.create_user("user-1", email="ada@example.com")
    other = get_user_model().objects.create_user("other")
    Subject.objects.create(iss="https://other.example", sub="user-1", user=other)
    token = issuer.access_token(sub="user-1", email="ada@example.com", preferred_username="user-1")
    assert get("/drf/user", token).json()["pk"] not in (local.pk, other.pk)


@PATHS
def test_inactive_user_is_refused(path: str, issuer: TokenIssuer) -> None:
    pk = get(path, issuer.access_token()).json()["pk"]
    get_user_model().objects.filter(pk=pk).update(is_active=False)
    response = get(path, issuer.access_token())
    assert response.status_code == 403
    assert "WWW-Authenticate" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"


@PATHS
def test_subject_that_the_column_cannot_hold_is_refused(path: str, issuer: TokenIssuer) -> None:
    assert get(path, issuer.access_token(sub="x" * 256)).status_code == 403
    assert get(path, issuer.access_token(sub="é" * 255)).status_code == 200


@PATHS
def test_unavailable_database_is_answered_with_503(path: str, issuer: TokenIssuer) -> None:
    def user_from_claims(claims: object) -> None:
        raise OperationalError("password of the database")

    with project_of(issuer, USER_FROM_CLAIMS=user_from_claims):
        response = get(path, issuer.access_token())
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert b"password" not in response.content


@PATHS
def test_own_function_decides_about_the_user(path: str, issuer: TokenIssuer) -> None:
    known = get_user_model().objects.create_user("known")
    with project_of(issuer, USER_FROM_CLAIMS=lambda claims: known if claims.sub == "known" else None):
        assert get(path, issuer.access_token(sub="known")).json() == {"username": "known", "pk": known.pk}
        assert get(path, issuer.access_token(sub="unknown")).status_code == 403


def test_no_user_is_created_for_a_refused_token(issuer: TokenIssuer) -> None:
    assert get("/drf/user", issuer.access_token(exp=1)).status_code == 401
    assert get("/both", issuer.access_token()).status_code == 403
    assert get_user_model().objects.count() == 0


@override_settings(
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "tallystick.django.AccessTokenMiddleware",
    ]
)
def test_middleware_sets_the_user_of_the_token_and_leaves_sessions_alone(issuer: TokenIssuer) -> None:
    client = Client()
    local = get_user_model().objects.create_user("local")
    client.force_login(local)
    assert client.get("/open").wsgi_request.user == local
    headers = {"Authorization": f"Bearer {issuer.access_token()}"}
    assert client.get("/open", headers=headers).wsgi_request.user != local
    assert client.get("/open").wsgi_request.user == local
