"""/notes: the notes of the caller."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

from examples.django_api.notes.models import Note
from examples.django_api.notes.serializers import NoteSerializer
from tallystick.drf import Requirement


class Pages(LimitOffsetPagination):
    default_limit = 20
    max_limit = 100


class NoteViewSet(ModelViewSet):
    queryset = Note.objects.order_by("-created_at", "id")
    serializer_class = NoteSerializer
    pagination_class = Pages
    required_scopes = {  # noqa: RUF012
        "GET": ["notes:read"],
        "POST": ["notes:write"],
        "PUT": ["notes:write"],
        "DELETE": ["notes:write"],
        "destroy_all": Requirement(("notes:write",), max_age=300),
    }

    def get_queryset(self) -> QuerySet[Note]:
        return super().get_queryset().filter(owner=self.request.user.sub)

    def perform_create(self, serializer: BaseSerializer) -> None:
        serializer.save(owner=self.request.user.sub)

    @extend_schema(operation_id="notes_destroy_all", responses={204: None})
    def destroy_all(self, request: Request) -> Response:
        """Delete all of your notes. Requires a login within the last five minutes (RFC 9470)."""
        self.get_queryset().delete()
        return Response(status=204)
