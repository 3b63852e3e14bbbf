"""The URLs of the project."""

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Verified(APIView):
    required_scopes = ("notes:read",)

    def get(self, request: Request) -> Response:
        return Response({"sub": request.user.sub})


class Open(APIView):
    authentication_classes: Any = ()
    permission_classes: Any = ()

    def get(self, request: Request) -> Response:
        return Response({"sub": "anyone"})


urlpatterns = [path("verified", Verified.as_view()), path("open", Open.as_view())]
