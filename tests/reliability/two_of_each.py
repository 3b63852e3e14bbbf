"""Two auth processes on one store, and two APIs of which each fetches its keys from another one of them."""

from dataclasses import dataclass
from typing import Self

from bench.processes import free_port
from tests.reliability.service import Service, skewed
from tests.reliability.site import Site

AUTH_SKEWS, API_SKEWS = (0, 30), (0, -25)
"""Seconds that the services' clocks are ahead of ours."""


@dataclass(frozen=True)
class TwoOfEach:
    site: Site
    auths: list[Service]
    apis: list[Service]

    @classmethod
    async def start(cls, site: Site, **lifetimes: int) -> Self:
        site.write_config(lifetimes=lifetimes)
        auths = [
            site.auth_service(port=port, module=skewed("auth_service", skew))
            for port, skew in zip((site.port, free_port()), AUTH_SKEWS, strict=True)
        ]
        apis = [
            site.resource_service(
                jwks_uri=f"http://localhost:{auth.port}/jwks", module=skewed("resource_service", skew)
            )
            for auth, skew in zip(auths, API_SKEWS, strict=True)
        ]
        for service in (*auths, *apis):
            await service.start()
        return cls(site, auths, apis)

    async def published(self) -> set[str]:
        """The kids of ES256."""
        jwks = (await self.site.wire(self.auths[0].port).get("/jwks")).json()
        return {key["kid"] for key in jwks["keys"] if key["alg"] == "ES256"}
