"""The suite's web server, which the provider calls. It replaces the network."""

import httpx


class Site(httpx.AsyncBaseTransport):
    """`documents` maps a URL to its media type and content. A POST is recorded and answered with 200."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[str, bytes]] = {}
        self.posts: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if request.method == "POST":
            self.posts.append(request)
            return httpx.Response(200)
        media_type, content = self.documents.get(str(request.url), ("", b""))
        return httpx.Response(200 if content else 404, headers={"Content-Type": media_type}, content=content)
