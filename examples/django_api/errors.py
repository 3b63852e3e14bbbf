"""The answer to a path that no view has."""

from django.http import HttpRequest, JsonResponse


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """A problem document (RFC 9457)."""
    problem = {"type": "about:blank", "title": "Not Found", "status": 404}
    return JsonResponse(problem, status=404, content_type="application/problem+json")
