"""Request an access token by `client_credentials` (RFC 6749 §4.4, RFC 8707)."""

import asyncio

import httpx

from tallystick.client.authentication import ClientAuthentication
from tallystick.client.errors import TokenError, TokenUnavailable
from tallystick.client.token_response import MAX_RESPONSE_BYTES, IssuedToken, parse_token_response
from tallystick.remote.http import client_for
from tallystick.remote.metadata import find_token_endpoint
from tallystick.request_id import outgoing_headers

MIN_WAIT = 1.0
"""Seconds between two requests when the token endpoint asks to wait for a shorter time."""


class TokenEndpoint:
    """Sends token requests. Its state depends on no event loop."""

    def __init__(
        self,
        authentication: ClientAuthentication,
        *,
        issuer: str | None,
        token_endpoint: str | None,
        parameters: dict[str, str],
        timeout: float,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        """Without a `token_endpoint`, the metadata of `issuer` names it. `parameters`: `scope` and `resource`.

        `timeout` is seconds for everything. `transport` replaces the network, for tests.
        """
        self._authentication = authentication
        self._issuer = issuer
        self._declared = token_endpoint
        self._found = token_endpoint
        self._parameters = {"grant_type": "client_credentials", **parameters}
        self._timeout = timeout
        self._transport = transport

    async def request_token(self) -> IssuedToken:
        """A new token, after the wait that the endpoint asks for by 429 or 503, if that fits into the time.

        Raises TokenError.
        """
        attempts = asyncio.create_task(self._attempts(asyncio.get_running_loop().time() + self._timeout))
        # Do not wait for the end of the cancelled task: a library that misses the cancellation could delay it.
        ended, _ = await asyncio.wait([attempts], timeout=self._timeout)
        if ended:
            return attempts.result()
        attempts.cancel()
        raise TokenUnavailable(f"the token endpoint did not answer within {self._timeout:g} s")

    async def _attempts(self, give_up_at: float) -> IssuedToken:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await self._attempt()
            except TokenUnavailable as unavailable:
                if unavailable.retry_after is None:
                    raise
                wait = max(unavailable.retry_after, MIN_WAIT)
                if loop.time() + wait >= give_up_at:
                    raise
            await asyncio.sleep(wait)

    async def _attempt(self) -> IssuedToken:
        try:
            async with client_for(self._found or self._issuer or "", self._transport) as http:
                if self._found is None:
                    self._found = await find_token_endpoint(http, self._issuer or "")
                return await self._post(http, self._found)
        except TokenError as error:
            if isinstance(error, TokenUnavailable) and error.retry_after is None:
                self._found = self._declared  # it may have moved: read the metadata again
            raise
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as failure:
            self._found = self._declared
            # The cause holds the request, and so the secret: only its text goes on.
            raise TokenUnavailable(f"no token endpoint: {str(failure) or type(failure).__name__}") from None

    async def _post(self, http: httpx.AsyncClient, token_endpoint: str) -> IssuedToken:
        credentials = self._authentication.credentials(token_endpoint)
        # Without compression, the bytes that are counted are the bytes that are kept.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **outgoing_headers()}
        form = {**self._parameters, **credentials.parameters}
        async with http.stream(
            "POST", token_endpoint, data=form, headers={**headers, **credentials.headers}, follow_redirects=False
        ) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise TokenUnavailable("the token endpoint answered with an encoding that was not requested")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_RESPONSE_BYTES:
                    raise TokenUnavailable(f"the token endpoint answered more than {MAX_RESPONSE_BYTES} bytes")
        return parse_token_response(
            response.status_code,
            bytes(body),
            retry_after=response.headers.get("Retry-After"),
            confidential=credentials.confidential,
        )
