"""The bodies of requests and responses."""

from rest_framework.serializers import ModelSerializer

from examples.django_api.notes.models import Note


class NoteSerializer(ModelSerializer):
    class Meta:
        model = Note
        fields = ("id", "title", "body", "created_at", "updated_at")
