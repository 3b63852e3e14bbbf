"""The endpoints of tests/support/adapters, as plain views, as async views, and in Django REST Framework."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tallystick.django import requires
from tallystick.drf import Requirement
from tests.support.adapters.exchange import ENDPOINTS, shown


def view(request: HttpRequest) -> JsonResponse:
    return JsonResponse(shown(request.claims))


async def async_view(request: HttpRequest) -> JsonResponse:
    return JsonResponse(shown(request.claims))


class View(APIView):
    renderer_classes = (JSONRenderer,)
    required_scopes: Any = ()

    def get(self, request: Request) -> Response:
        return Response(shown(request.auth))


urlpatterns: list[Any] = [path("", include("tallystick.django.urls"))]
for name, requirement in ENDPOINTS.items():
    step_up = {key: value for key, value in requirement.items() if key != "scopes"}
    protect = requires(*requirement.get("scopes", ()), **step_up)
    urlpatterns += [
        path(f"plain{name}", protect(view)),
        path(f"async{name}", protect(async_view)),
        path(f"drf{name}", View.as_view(required_scopes=Requirement(**requirement))),
    ]
