"""Views of all kinds, each with the same rules."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views import View
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from tallystick.django import requires
from tallystick.drf import Requirement
from tallystick.drf.throttling import ClientRateThrottle

STEP_UP: dict[str, Any] = {"max_age": 300, "acr_values": ("two", "three")}


@requires("notes:read")
def notes(request: HttpRequest) -> HttpResponse:
    return JsonResponse(request.claims.sub, safe=False)


@requires("notes:read")
async def notes_async(request: HttpRequest) -> HttpResponse:
    return JsonResponse(request.claims.sub, safe=False)


@requires("notes:read", "notes:write")
def both(request: HttpRequest) -> HttpResponse:
    return JsonResponse(request.claims.sub, safe=False)


@requires("notes:read", **STEP_UP)
def fresh(request: HttpRequest) -> HttpResponse:
    return JsonResponse(request.claims.sub, safe=False)


@requires("notes:read", **STEP_UP)
async def fresh_async(request: HttpRequest) -> HttpResponse:
    return JsonResponse(request.claims.sub, safe=False)


@requires()
def user(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"username": request.user.get_username(), "pk": request.user.pk})


@requires()
async def user_async(request: HttpRequest) -> HttpResponse:
    person = await request.auser()
    return JsonResponse({"username": person.get_username(), "pk": person.pk})


def open_to_all(request: HttpRequest) -> HttpResponse:
    claims = getattr(request, "claims", None)
    return JsonResponse(claims and claims.sub, safe=False)


class AsyncNotes(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse(request.claims.sub, safe=False)


class DrfNotes(APIView):
    required_scopes: Any = ("notes:read",)

    @extend_schema(responses=str)
    def get(self, request: Request) -> Response:
        return Response(request.user.sub)


class DrfBoth(DrfNotes):
    required_scopes = ("notes:read", "notes:write")


class DrfFresh(DrfNotes):
    required_scopes = Requirement(("notes:read",), **STEP_UP)


class DrfMethods(APIView):
    required_scopes = {"GET": ["notes:read"], "POST": ["notes:write"]}  # noqa: RUF012

    @extend_schema(responses=str)
    def get(self, request: Request) -> Response:
        return Response("read")

    @extend_schema(request=None, responses=str)
    def post(self, request: Request) -> Response:
        return Response("written")


class DrfActions(ViewSet):
    required_scopes = {"list": ["notes:read"], "GET": ["admin"]}  # noqa: RUF012

    @extend_schema(responses=str)
    def list(self, request: Request) -> Response:
        return Response("list")

    @extend_schema(responses=str)
    def retrieve(self, request: Request) -> Response:
        return Response("retrieve")


class DrfUser(APIView):
    required_scopes = ()

    @extend_schema(responses=str)
    def get(self, request: Request) -> Response:
        return Response({"username": request.user.get_username(), "pk": request.user.pk})


class DrfOpen(APIView):
    permission_classes = (AllowAny,)

    @extend_schema(responses=str)
    def get(self, request: Request) -> Response:
        return Response(request.auth and request.auth.sub)


class DrfThrottled(DrfNotes):
    throttle_classes = (UserRateThrottle, ClientRateThrottle)


urlpatterns = [
    path("notes", notes),
    path("async/notes", notes_async),
    path("both", both),
    path("fresh", fresh),
    path("async/fresh", fresh_async),
    path("user", user),
    path("async/user", user_async),
    path("open", open_to_all),
    path("class/notes", requires("notes:read")(AsyncNotes.as_view())),
    path("drf/notes", DrfNotes.as_view()),
    path("drf/both", DrfBoth.as_view()),
    path("drf/fresh", DrfFresh.as_view()),
    path("drf/methods", DrfMethods.as_view()),
    path("drf/actions", DrfActions.as_view({"get": "list"})),
    path("drf/actions/1", DrfActions.as_view({"get": "retrieve"})),
    path("drf/user", DrfUser.as_view()),
    path("drf/open", DrfOpen.as_view()),
    path("drf/throttled", DrfThrottled.as_view()),
    path("openapi.json", SpectacularJSONAPIView.as_view(permission_classes=[AllowAny])),
    path("", include("tallystick.django.urls")),
]
