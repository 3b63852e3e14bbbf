"""/authorize, the authorization endpoint (RFC 6749 §3.1, OIDC Core §3.1.2)."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from auth_service.endpoints.dependencies import AuthorizerDep, FormBody, LoginSessionsDep, StateSignerDep
from auth_service.endpoints.pages.outcome_response import browser_state, respond
from auth_service.http.openapi import browser_endpoint
from auth_service.http.query import raw_query
from auth_service.http.raw_route import RawRoute
from auth_service.http.redirects import redirect
from auth_service.http.route_traits import PAGE, POPUP

router = APIRouter(tags=["OAuth 2.1"], route_class=RawRoute)


@router.get(
    "/authorize",
    **browser_endpoint(
        pages={
            200: "A form that posts the response to the client (response_mode=form_post).",
            400: "The client or its redirect_uri is unknown, or the request is malformed.",
            503: "The database does not answer; Retry-After gives the seconds to wait.",
        },
        redirect="A redirect to the login page, the consent page, or the redirect_uri with a code or an error.",
        parameters={
            "response_type": "`code`",
            "client_id": "The client that sends the request.",
            "redirect_uri": "The address that receives the response: one of the client's registered redirect_uris.",
            "scope": "Scopes with a space between them; `openid` for an ID Token.",
            "state": "Returned to the client unchanged.",
            "nonce": "Returned in the ID Token.",
            "code_challenge": "PKCE: base64url of the SHA-256 of the code_verifier (RFC 7636).",
            "code_challenge_method": "`S256`",
            "resource": "The API that the access token is for (RFC 8707). May be repeated.",
            "response_mode": "`query` or `form_post`",
            "prompt": "`none`, `login` or `consent`",
            "max_age": "The greatest allowed age of the login, in seconds.",
            "login_hint": "The email that the login page fills in.",
            "id_token_hint": "An earlier ID Token of the expected user.",
            "claims": "Single claims that the client requests (OIDC Core §5.5), as JSON.",
        },
        required=("response_type", "client_id", "redirect_uri"),
    ),
)
@PAGE
@POPUP
async def authorize(
    request: Request, authorizer: AuthorizerDep, login_sessions: LoginSessionsDep, state_signer: StateSignerDep
) -> Response:
    """Redirect the browser to the login page, to the consent page, or to the client with a code or an error."""
    pending = await authorizer.begin(raw_query(request))
    browser = await browser_state(request, login_sessions)
    return respond(await authorizer.continue_authorization(pending, browser), state_signer)


@router.post("/authorize", response_class=Response, include_in_schema=False)
@PAGE
@POPUP
async def authorize_by_post(form: FormBody, authorizer: AuthorizerDep) -> Response:
    """The same request as a form (OIDC Core §3.1.2.1). Redirects to GET /authorize, to which the browser sends the
    SameSite=Lax cookie."""
    pairs = [*form.items(), *(("resource", resource) for resource in form.resources)]
    pending = await authorizer.begin(urlencode(pairs))
    return redirect(f"/authorize?{pending.request.query}")
