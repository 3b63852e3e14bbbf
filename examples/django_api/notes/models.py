"""The notes of each user."""

import uuid

from django.db import models


class Note(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.CharField(max_length=255, editable=False)
    """The `sub` of the access token. Every token of this API is of one issuer."""
    title = models.CharField(max_length=200)
    body = models.TextField(max_length=20_000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = (models.Index(fields=("owner", "-created_at"), name="notes_of_owner"),)

    def __str__(self) -> str:
        return str(self.title)
