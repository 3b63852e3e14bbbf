"""The URLs of the project."""

from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

from examples.django_api.notes.views import NoteViewSet

urlpatterns = [
    path("notes", NoteViewSet.as_view({"get": "list", "post": "create", "delete": "destroy_all"})),
    path("notes/<uuid:pk>", NoteViewSet.as_view({"get": "retrieve", "put": "update", "delete": "destroy"})),
    path("openapi.json", SpectacularJSONAPIView.as_view()),
    path("", include("tallystick.django.urls")),
]
handler400 = "rest_framework.exceptions.bad_request"
handler404 = "examples.django_api.errors.not_found"
handler500 = "rest_framework.exceptions.server_error"
