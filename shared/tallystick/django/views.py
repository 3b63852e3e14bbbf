"""The metadata document of the API (RFC 9728 §2)."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from tallystick.django.configuration import project_api
from tallystick.protected_api import METADATA_HEADERS


@require_safe
def protected_resource_metadata(request: HttpRequest) -> HttpResponse:
    """The issuer of tokens for this API, and the API's scopes. Any origin may read it."""
    api = project_api()
    if request.path_info != api.metadata_path:
        raise Http404
    return JsonResponse(api.metadata_document(), headers=METADATA_HEADERS)
