"""The URLs of the project."""

from django.http import HttpRequest, JsonResponse
from django.urls import path

from tallystick.django import requires


@requires("notes:read")
def verified(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"sub": request.claims.sub})


urlpatterns = [path("verified", verified)]
