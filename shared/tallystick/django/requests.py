"""The access token of a Django request, and the response to a refused one."""

from django.http import HttpRequest, JsonResponse

from tallystick.access_token_request import PROBLEM_MEDIA_TYPE, AccessTokenRequest, Refusal


def access_token_request(request: HttpRequest) -> AccessTokenRequest:
    authorization = request.META.get("HTTP_AUTHORIZATION")  # WSGI servers and Django join several with a comma
    values = () if authorization is None else (authorization,)
    return AccessTokenRequest(request.method or "", request.build_absolute_uri, values)


def problem_response(refusal: Refusal) -> JsonResponse:
    """Problem details (RFC 9457), with the challenge in the headers."""
    return JsonResponse(
        refusal.problem, status=refusal.status, headers=refusal.headers, content_type=PROBLEM_MEDIA_TYPE
    )
