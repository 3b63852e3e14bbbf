"""/metrics of the auth service: the callers that may read it, and its numbers."""

import asyncio
from collections.abc import AsyncIterator
from threading import Thread

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from auth_service.authentication.users.concurrency_limiter import ConcurrencyLimiter
from auth_service.main import create_app
from auth_service.telemetry.metrics import AuthMetrics, StatusListFacts
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.relying_party import RelyingParty
from tests.support.scraping import counted, scrape
from tests.support.status_lists import provider_of

HOME = {"Host": "localhost:8000"}


@pytest.fixture
async def auth(auth_sqlite_url: str, clock: MovableClock) -> AsyncIterator[AuthService]:
    async with running_auth_service(auth_sqlite_url, clock) as running:
        yield running


@pytest.fixture
def here(auth: AuthService) -> httpx.AsyncClient:
    """A caller on the same machine."""
    return auth.http("127.0.0.1")


class TestAccess:
    @pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1"])
    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
    async def test_local_caller_may_read(self, auth: AuthService, peer: str, host: str) -> None:
        response = await auth.http(peer).get("/metrics", headers={"Host": host})
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/plain; version=")
        assert response.headers["cache-control"] == "no-store"
        assert "tallystick_build_info" in response.text

    @pytest.mark.parametrize("peer", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "not an address"])
    async def test_remote_caller_gets_404(self, auth: AuthService, peer: str) -> None:
        http = auth.http(peer)
        response = await http.get("/metrics", headers=HOME)
        unknown = await http.get("/unknown", headers=HOME)
        assert (response.status_code, response.content) == (404, unknown.content)

    @pytest.mark.parametrize(
        "header",
        [
            "Forwarded",
            "Via",
            "X-Real-IP",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "x-forwarded-x",
            "X-Client-IP",
            "X-Original-URL",
            "CF-Connecting-IP",
            "True-Client-IP",
        ],
    )
    async def test_request_with_a_proxy_header_gets_404(self, here: httpx.AsyncClient, header: str) -> None:
        assert (await here.get("/metrics", headers=HOME)).status_code == 200
        assert (await here.get("/metrics", headers=HOME | {header: "127.0.0.1"})).status_code == 404

    @pytest.mark.parametrize("host", ["id.example.com", "evil.example", "localhost.evil.example", ""])
    async def test_request_with_a_public_host_gets_404(self, here: httpx.AsyncClient, host: str) -> None:
        assert (await here.get("/metrics", headers={"Host": host})).status_code == 404

    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1:8000:evil", "[::1", "[::1]evil", "localhost:", "localhost:80a", "[localhost]", "localhost,x"],
    )
    async def test_request_with_a_malformed_host_gets_404(self, here: httpx.AsyncClient, host: str) -> None:
        assert (await here.get("/metrics", headers={"Host": host})).status_code == 404

    async def test_http_1_0_request_gets_404(self, auth: AuthService) -> None:
        async def as_nginx_does(scope: Scope, receive: Receive, send: Send) -> None:
            await auth.app({**scope, "http_version": "1.0"}, receive, send)

        transport = httpx.ASGITransport(as_nginx_does, client=("127.0.0.1", 50_000))
        async with httpx.AsyncClient(transport=transport) as nginx:
            assert (await nginx.get("http://127.0.0.1:8000/metrics")).status_code == 404
            assert (await nginx.get("http://127.0.0.1:8000/healthz")).status_code == 200

    async def test_trusted_proxy_cannot_forward_a_local_address(
        self, auth_sqlite_url: str, clock: MovableClock
    ) -> None:
        async with running_auth_service(auth_sqlite_url, clock, trusted_proxies=["192.0.2.0/24"]) as auth:
            forwarded = HOME | {"X-Forwarded-For": "127.0.0.1"}
            assert (await auth.http("192.0.2.1").get("/metrics", headers=forwarded)).status_code == 404

    async def test_only_get_and_head_are_answered(self, here: httpx.AsyncClient) -> None:
        assert (await here.post("/metrics", headers=HOME)).status_code == 404
        head = await here.head("/metrics", headers=HOME)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) > 1000

    async def test_openmetrics_is_sent_if_accepted(self, here: httpx.AsyncClient) -> None:
        accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        response = await here.get("/metrics", headers=HOME | accept)
        assert response.headers["content-type"].startswith("application/openmetrics-text")
        assert response.text.endswith("# EOF\n")

    async def test_malformed_version_gets_the_plain_text_format(self, here: httpx.AsyncClient) -> None:
        accept = {"Accept": "application/openmetrics-text;version=one"}
        response = await here.get("/metrics", headers=HOME | accept)
        assert (response.status_code, response.headers["content-type"].split(";")[0]) == (200, "text/plain")


class TestMetricsPort:
    @pytest.fixture
    async def own_port(self, auth: AuthService) -> AsyncIterator[httpx.AsyncClient]:
        """An app with the metrics port 9000. The port in the URL is the one that receives the request."""
        app = create_app(auth.settings, auth.clock, metrics_port=9000)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app, client=("192.0.2.1", 50_000))
            async with httpx.AsyncClient(transport=transport) as http:
                yield http

    async def test_any_caller_may_read_on_the_metrics_port(self, own_port: httpx.AsyncClient) -> None:
        assert (await own_port.get("http://anything:9000/metrics")).status_code == 200

    @pytest.mark.parametrize("path", ["/", "/token", "/jwks", "/metrics/", "/readyz"])
    async def test_metrics_port_answers_nothing_else(self, own_port: httpx.AsyncClient, path: str) -> None:
        assert (await own_port.get(f"http://localhost:9000{path}")).status_code == 404
        assert (await own_port.post(f"http://localhost:9000{path}")).status_code == 404

    async def test_other_port_does_not_answer_metrics(self, auth: AuthService) -> None:
        app = create_app(auth.settings, auth.clock, metrics_port=9000)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 50_000))
            async with httpx.AsyncClient(transport=transport) as http:
                assert (await http.get("http://localhost:8000/metrics")).status_code == 404
                assert (await http.get("http://localhost:8000/healthz")).status_code == 200


class TestNumbers:
    async def test_token_is_counted_by_its_grant(self, auth: AuthService, here: httpx.AsyncClient) -> None:
        bot = auth.relying_party("bot")
        risen = await counted(here, lambda: bot.client_credentials())
        assert risen['tallystick_tokens_issued_total{grant_type="client_credentials"}'] == 1
        assert risen['tallystick_requests_total{endpoint="/token",method="POST",status="200"}'] == 1
        assert risen['tallystick_request_duration_seconds_count{endpoint="/token"}'] == 1
        assert (
            risen['tallystick_store_units_total{kind="write",outcome="done"}'] >= 1
        )  # a status list may be published, too
        assert risen['tallystick_store_unit_duration_seconds_count{kind="write"}'] >= 1

        app = auth.relying_party("app-one")
        risen = await counted(here, app.tokens)
        assert risen['tallystick_tokens_issued_total{grant_type="authorization_code"}'] == 1
        assert risen['tallystick_logins_total{outcome="signed_in"}'] == 1

    async def test_refusal_is_counted_by_endpoint_and_error(self, rp: RelyingParty, here: httpx.AsyncClient) -> None:
        risen = await counted(here, lambda: rp.token("no code of ours"))
        assert risen['tallystick_refusals_total{endpoint="/token",error="invalid_grant"}'] == 1
        risen = await counted(here, lambda: rp.authorize(client_id="nobody"))
        assert risen['tallystick_refusals_total{endpoint="/authorize",error="invalid_client"}'] == 1
        risen = await counted(here, lambda: rp.http.get("/userinfo"))
        assert risen['tallystick_refusals_total{endpoint="/userinfo",error="none"}'] == 1
        assert not any(name.startswith("tallystick_tokens_issued") for name in risen)

    async def test_login_is_counted_by_its_outcome(self, rp: RelyingParty, here: httpx.AsyncClient) -> None:
        page = await rp.authorize()
        risen = await counted(here, lambda: rp.browser.sign_in(page, password="wrong"))
        assert risen['tallystick_logins_total{outcome="refused"}'] == 1
        for _ in range(9):
            await rp.browser.sign_in(page, password="wrong")
        risen = await counted(here, lambda: rp.browser.sign_in(page, password="wrong"))
        assert risen['tallystick_logins_total{outcome="throttled"}'] == 1

    async def test_login_refused_by_a_full_queue_is_counted(
        self, auth: AuthService, rp: RelyingParty, here: httpx.AsyncClient
    ) -> None:
        provider_of(auth).sign_in.limiter = ConcurrencyLimiter(max_active=0, max_waiting=0)
        page = await rp.authorize()
        risen = await counted(here, lambda: rp.browser.sign_in(page))
        assert risen['tallystick_logins_total{outcome="unavailable"}'] == 1

    async def test_login_counts_once_if_the_store_fails_after_it(
        self, auth: AuthService, rp: RelyingParty, here: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        provider = provider_of(auth)

        def store_goes_away() -> None:
            thread = Thread(target=lambda: asyncio.run(provider.store.close()))
            thread.start()
            thread.join()

        monkeypatch.setattr(provider.logout_delivery, "wake", store_goes_away)  # called right after the login
        page = await rp.authorize()
        risen = await counted(here, lambda: rp.browser.sign_in(page))
        assert risen['tallystick_requests_total{endpoint="/login",method="POST",status="503"}'] == 1
        assert [name for name in risen if name.startswith("tallystick_logins_total")] == [
            'tallystick_logins_total{outcome="signed_in"}'
        ]

    async def test_revocation_is_counted_by_its_cause(
        self, rp: RelyingParty, here: httpx.AsyncClient, clock: MovableClock
    ) -> None:
        code = await rp.authorization_code()
        first = (await rp.token(code)).json()["refresh_token"]

        def cause(risen: dict[str, float]) -> set[str]:
            return {name for name in risen if name.startswith("tallystick_revocations_total")}

        replayed = await counted(here, lambda: rp.token(code))
        assert cause(replayed) == {'tallystick_revocations_total{cause="replayed_code"}'}
        assert cause(await counted(here, lambda: rp.token(code))) == set()  # it revokes nothing more

        first = (await rp.tokens())["refresh_token"]
        second = (await rp.refresh(first)).json()["refresh_token"]
        await rp.refresh(second)
        replayed = await counted(here, lambda: rp.refresh(first))
        assert cause(replayed) == {'tallystick_revocations_total{cause="replayed_refresh_token"}'}
        assert cause(await counted(here, lambda: rp.refresh(first))) == set()

        token = (await rp.tokens())["access_token"]
        asked = await counted(here, lambda: rp.revoke(token))
        assert cause(asked) == {'tallystick_revocations_total{cause="revocation_request"}'}
        assert cause(await counted(here, lambda: rp.revoke(token))) == set()
        assert cause(await counted(here, lambda: rp.revoke("unknown"))) == set()

        page = await rp.browser.open("/logout")
        logged_out = await counted(here, lambda: rp.browser.submit(page))
        assert cause(logged_out) == {'tallystick_revocations_total{cause="logout"}'}
        assert cause(await counted(here, lambda: rp.browser.open("/logout"))) == set()

    async def test_age_of_the_signing_key_is_shown(
        self, auth: AuthService, here: httpx.AsyncClient, clock: MovableClock
    ) -> None:
        await auth.look_again()
        before = (await scrape(here))['tallystick_signing_key_age_seconds{alg="ES256"}']
        clock.advance(seconds=100)
        numbers = await scrape(here)
        assert numbers['tallystick_signing_key_age_seconds{alg="ES256"}'] == before + 100
        assert 'tallystick_signing_key_age_seconds{alg="RS256"}' in numbers

    async def test_facts_of_the_published_status_list_are_shown(
        self, auth: AuthService, here: httpx.AsyncClient, clock: MovableClock
    ) -> None:
        metrics: AuthMetrics = auth.app.state.metrics
        metrics.watch_status_list(lambda: StatusListFacts(clock() - 3, 164, 1 << 17, 12), clock)
        numbers = await scrape(here)
        names = ("age_seconds", "bytes", "bits", "set_bits")
        assert [numbers[f"tallystick_status_list_{name}"] for name in names] == [3, 164, 1 << 17, 12]

    async def test_unknown_paths_add_no_series(self, auth: AuthService, here: httpx.AsyncClient) -> None:
        http = auth.http()
        await http.get("/nobody-knows-this")
        await http.get("/register/somebody")
        before = (await scrape(here)).keys()
        for number in range(500):
            await http.get(f"/nobody-knows-{number}?{number}")
            await http.get(f"/register/{number}")
        risen = (await scrape(here)).keys() - before
        assert risen == set()

    async def test_no_client_user_or_address_is_named(
        self, rp: RelyingParty, auth: AuthService, here: httpx.AsyncClient
    ) -> None:
        await rp.tokens()
        text = (await here.get("/metrics", headers=HOME)).text
        for name in ("app-one", "ada", "192.0.2.1", auth.settings.issuer):
            assert name not in text


async def test_metrics_are_answered_while_the_store_is_unavailable(auth_sqlite_url: str, clock: MovableClock) -> None:
    async with running_auth_service(auth_sqlite_url, clock) as auth:
        here = auth.http("127.0.0.1")
        await auth.look_again()
        await auth.app.state.provider.store.close()
        clock.advance(seconds=10)
        assert (await auth.http().get("/readyz")).status_code == 503
        numbers = await scrape(here)
        assert numbers['tallystick_store_units_total{kind="read",outcome="refused"}'] >= 1
        assert 'tallystick_signing_key_age_seconds{alg="ES256"}' in numbers
