"""The subjects of access tokens, and their Django users."""

from django.conf import settings
from django.db import models

MAX_LENGTH = 255
"""Characters of an issuer and of a subject (OIDC Core §2 allows no longer `sub`)."""


class Subject(models.Model):
    """`iss` and `sub` together name one person or one service; `sub` alone or an e-mail address does not."""

    iss = models.CharField("issuer", max_length=MAX_LENGTH)
    sub = models.CharField("subject", max_length=MAX_LENGTH)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tallystick_subjects")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("iss", "sub"), name="tallystick_subject_is_unique"),)

    def __str__(self) -> str:
        return f"{self.sub} of {self.iss}"
