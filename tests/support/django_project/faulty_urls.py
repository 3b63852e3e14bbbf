"""Views of Django REST Framework whose `required_scopes` are missing or incomplete."""

from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Forgotten(APIView):
    def get(self, request: Request) -> Response:
        return Response("no scopes are declared")


class Incomplete(APIView):
    required_scopes = {"GET": ["notes:read"]}  # noqa: RUF012

    def get(self, request: Request) -> Response:
        return Response("read")

    def delete(self, request: Request) -> Response:
        return Response("deleted")


class Malformed(Forgotten):
    required_scopes = ("notes:read notes:write", 'a"b')


urlpatterns = [
    path("drf/forgotten", Forgotten.as_view()),
    path("drf/", include([path("incomplete", Incomplete.as_view())])),
    path("drf/malformed", Malformed.as_view()),
    path("", include("tallystick.django.urls")),
]
