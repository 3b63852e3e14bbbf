"""A token that the status list revokes is refused. A policy decides about a token whose status is unknown."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property

import httpx
import pytest

from tallystick.claims import AccessTokenClaims
from tallystick.clock import LEEWAY
from tallystick.errors import InvalidToken, TemporarilyUnavailable
from tallystick.remote.document import COOLDOWN_SECONDS
from tallystick.remote.issuer import RemoteIssuer
from tallystick.remote.metadata import MAX_STATUS_LISTS
from tallystick.token_checker import StatusPolicy
from tallystick.verifier import AsyncVerifier
from tests.support.token_issuer import ISSUER, STATUS_LIST_URI, TokenIssuer, status
from tests.support.verifiers import verifier_of
from tests.support.waiting import until

SERVE = StatusPolicy()
FAIL = StatusPolicy(max_age=30)
ELSEWHERE = "https://cdn.example.net/status-lists/1"


class Api:
    """A verifier and its issuer. `fetch` runs one round of fetches to its end."""

    def __init__(self, issuer: TokenIssuer, policy: StatusPolicy) -> None:
        self.remote = RemoteIssuer(ISSUER, clock=issuer.clock, transport=issuer.transport, follow_every=3600)
        self._issuer, self._policy = issuer, policy

    @cached_property
    def verifier(self) -> AsyncVerifier:
        """It begins to fetch with the first token."""
        return verifier_of(self.remote, self._issuer.clock, policy=self._policy)

    async def fetch(self) -> None:
        await self.remote.key_set.refresh()
        self.remote.status_lists.start_round()
        for cached in self.remote.status_lists:
            await cached.refresh()

    async def verify(self, token: str) -> AccessTokenClaims:
        return await self.verifier.verify(token)

    async def verdict(self, token: str) -> str:
        try:
            await self.verify(token)
        except InvalidToken:
            return "refused"
        except TemporarilyUnavailable:
            return "unavailable"
        return "served"


@asynccontextmanager
async def running(issuer: TokenIssuer, policy: StatusPolicy = SERVE) -> AsyncIterator[Api]:
    api = Api(issuer, policy)
    yield api
    await api.remote.aclose()


@pytest.fixture(params=[SERVE, FAIL], ids=["serve_until_exp", "fail_closed"])
async def api(issuer: TokenIssuer, request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """An API under each policy."""
    async with running(issuer, request.param) as api:
        yield api


async def test_revoked_token_is_refused_and_its_neighbour_is_served(api: Api, issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    mine, neighbour = issuer.access_token(status=status(9)), issuer.access_token(status=status(10))
    assert [await api.verdict(token) for token in (mine, neighbour)] == ["served"] * 2
    issuer.clock.advance(seconds=1)
    published.revoke(9)
    await api.fetch()
    assert [await api.verdict(token) for token in (mine, neighbour)] == ["refused", "served"]
    assert await api.verdict(issuer.access_token(status=status(9), jti="another of the family")) == "refused"


@pytest.mark.parametrize("idx", range(4))
async def test_every_status_but_valid_is_refused(api: Api, issuer: TokenIssuer, idx: int) -> None:
    """Revoked, suspended or unknown (Token Status List §7.1)."""
    published = issuer.publish_list()
    published.token = published.signed(status_list={"bits": 2, "lst": "eNo76fITAAPfAgc"})
    assert await api.verdict(issuer.access_token(status=status(idx))) == ("served" if idx == 2 else "refused")


async def test_status_of_a_cached_verdict_is_looked_up_each_time_without_a_fetch(api: Api, issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    token = issuer.access_token(status=status(9))
    claims = await api.verify(token)
    paths = list(issuer.paths)
    for _ in range(100):
        assert await api.verify(token) is claims
    published.revoke(9)
    for _ in range(100):
        assert await api.verdict(token) == "served"
    assert issuer.paths == paths
    await api.fetch()
    assert await api.verdict(token) == "refused"


async def test_token_without_a_status_is_served(issuer: TokenIssuer) -> None:
    async with running(issuer, FAIL) as api:
        assert await api.verdict(issuer.access_token()) == "served"


@pytest.mark.parametrize(
    "claim",
    [
        *(status(idx) for idx in (True, -1, "1", 1.0, None, [1])),
        *(status(1, uri) for uri in (None, 5, "", "x", "http://id.example.com/status-lists/1", f"{STATUS_LIST_URI}#1")),
        {"status_list": {"idx": 1}},
        {"status_list": {"uri": STATUS_LIST_URI}},
        {"status_list": 1},
        {"status_list": None},
        {"another": {}},
        {},
        [],
        None,
        "x",
    ],
    ids=str,
)
async def test_malformed_status_is_refused(api: Api, issuer: TokenIssuer, claim: object) -> None:
    issuer.publish_list()
    assert await api.verdict(issuer.access_token(status=status(1))) == "served"
    assert await api.verdict(issuer.access_token(status=claim)) == "refused"


async def test_other_status_mechanisms_are_ignored(api: Api, issuer: TokenIssuer) -> None:
    issuer.publish_list()
    assert await api.verdict(issuer.access_token(status=status(1) | {"another": 5})) == "served"


@pytest.mark.parametrize("announced", [True, False])
async def test_concurrent_tokens_of_an_unknown_list_share_one_fetch(
    api: Api, issuer: TokenIssuer, announced: bool
) -> None:
    published = issuer.publish_list(announced=announced)
    published.revoke(9)
    await api.remote.key_set.refresh()
    published.gate.clear()
    tokens = [issuer.access_token(status=status(9 + i % 2), jti=f"token-{i}") for i in range(50)]
    verdicts = asyncio.gather(*[api.verdict(token) for token in tokens])
    await until(lambda: bool(published.requests))
    published.gate.set()
    assert await verdicts == ["refused", "served"] * 25
    assert len(published.requests) == 1


@pytest.mark.parametrize("idx", [64, 2**70])
async def test_index_beyond_the_list_is_refused_after_one_fetch(api: Api, issuer: TokenIssuer, idx: int) -> None:
    published = issuer.publish_list(size=64)
    assert await api.verdict(issuer.access_token(status=status(63))) == "served"
    before = len(published.requests)
    tokens = [issuer.access_token(status=status(idx), jti=f"token-{i}") for i in range(50)]
    assert await asyncio.gather(*[api.verdict(token) for token in tokens]) == ["refused"] * 50
    assert [await api.verdict(token) for token in tokens] == ["refused"] * 50
    assert len(published.requests) == before + 1
    issuer.clock.advance(seconds=COOLDOWN_SECONDS)
    await api.verdict(tokens[0])
    assert len(published.requests) == before + 2


async def test_index_in_a_grown_list_is_found_by_its_first_token(api: Api, issuer: TokenIssuer) -> None:
    published = issuer.publish_list(size=64)
    assert await api.verdict(issuer.access_token(status=status(1))) == "served"
    issuer.clock.advance(seconds=1)
    published.statuses += bytes(8)
    published.revoke(65)
    tokens = [issuer.access_token(status=status(idx)) for idx in (64, 65)]
    assert [await api.verdict(token) for token in tokens] == ["served", "refused"]


@pytest.mark.parametrize(("policy", "verdict"), [(SERVE, "served"), (FAIL, "unavailable")])
class TestUnknownStatus:
    """A token with an unknown status is served or temporarily unavailable, never refused as invalid."""

    async def test_list_that_was_never_fetched(self, issuer: TokenIssuer, policy: StatusPolicy, verdict: str) -> None:
        published = issuer.publish_list()
        published.status = 500
        async with running(issuer, policy) as api:
            token = issuer.access_token(status=status(9))
            assert [await api.verdict(token) for _ in range(3)] == [verdict] * 3
            requests = len(published.requests)
            published.gate.clear()
            assert await api.verdict(issuer.access_token(status=status(10))) == verdict  # without another wait
            assert len(published.requests) == requests
            published.gate.set()
            published.status = 200
            published.revoke(9)
            await api.fetch()
            assert await api.verdict(token) == "refused"

    async def test_list_that_is_too_old(self, issuer: TokenIssuer, policy: StatusPolicy, verdict: str) -> None:
        published = issuer.publish_list()
        published.revoke(9)
        async with running(issuer, policy) as api:
            good, revoked = issuer.access_token(status=status(1)), issuer.access_token(status=status(9))
            await api.fetch()
            issuer.clock.advance(seconds=30)
            assert [await api.verdict(token) for token in (good, revoked)] == ["served", "refused"]
            issuer.is_away = True
            issuer.clock.advance(seconds=1)
            for _ in range(2):
                assert [await api.verdict(token) for token in (good, revoked)] == [verdict, "refused"]
            issuer.is_away = False
            published.token = published.signed()
            await api.fetch()
            assert [await api.verdict(token) for token in (good, revoked)] == ["served", "refused"]

    async def test_index_beyond_a_list_that_cannot_be_fetched(
        self, issuer: TokenIssuer, policy: StatusPolicy, verdict: str
    ) -> None:
        published = issuer.publish_list(size=64)
        async with running(issuer, policy) as api:
            await api.fetch()
            published.status = 500
            assert await api.verdict(issuer.access_token(status=status(64))) == verdict

    async def test_more_lists_than_the_maximum(self, issuer: TokenIssuer, policy: StatusPolicy, verdict: str) -> None:
        uris = [f"{ISSUER}/status-lists/{number}" for number in range(MAX_STATUS_LISTS + 1)]
        for uri in uris:
            issuer.publish_list(uri, announced=False)
        async with running(issuer, policy) as api:
            verdicts = [await api.verdict(issuer.access_token(status=status(1, uri))) for uri in uris]
        assert verdicts == ["served"] * MAX_STATUS_LISTS + [verdict]
        assert not issuer.lists[uris[-1]].requests

    async def test_list_at_another_origin_without_metadata(
        self, issuer: TokenIssuer, policy: StatusPolicy, verdict: str
    ) -> None:
        published = issuer.publish_list(ELSEWHERE)
        async with running(issuer, policy) as api:
            await api.remote.key_set.refresh()
            issuer.is_away = True
            assert await api.verdict(issuer.access_token(status=status(1, ELSEWHERE))) == verdict
        assert not published.requests


async def test_304_does_not_reduce_the_age_of_a_list(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    token = issuer.access_token(status=status(1))
    async with running(issuer, FAIL) as api:
        assert await api.verdict(token) == "served"
        for _ in range(4):
            issuer.clock.advance(seconds=10)
            await api.fetch()
        assert "If-None-Match" in published.requests[-1].headers
        assert await api.verdict(token) == "unavailable"


async def test_expired_list_is_too_old_for_fail_closed(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    published.token = published.signed(exp=issuer.clock.now - 55)
    token = issuer.access_token(status=status(1))
    async with running(issuer, FAIL) as api:
        assert await api.verdict(token) == "served"
        issuer.clock.advance(seconds=6)
        assert await api.verdict(token) == "unavailable"


async def test_expired_list_does_not_revoke_a_token_issued_after_it(issuer: TokenIssuer) -> None:
    """The index may belong to another family by then."""
    published = issuer.publish_list()
    published.revoke(9)
    published.token = published.signed(exp=issuer.clock.now + 10)
    async with running(issuer) as api:
        old = issuer.access_token(status=status(9))
        assert await api.verdict(old) == "refused"
        issuer.is_away = True
        issuer.clock.advance(seconds=10 + LEEWAY + 1)
        assert await api.verdict(old) == "refused"
        assert await api.verdict(issuer.access_token(status=status(9))) == "served"


async def test_missing_list_does_not_count_as_failing_closed(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    async with running(issuer, FAIL) as api:
        assert await api.verdict(issuer.access_token(status=status(1))) == "served"
        issuer.clock.advance(seconds=31)
        assert api.verifier.health().is_failing_closed
        published.status = 404
        await api.fetch()
        assert not api.verifier.health().is_failing_closed


@pytest.mark.parametrize(
    "uri",
    [
        ELSEWHERE,
        "https://id.example.com:8443/status-lists/1",
        "http://localhost/status-lists/1",
        "https://id.example.com.evil.example/status-lists/1",
        "https://evil.example/?https://id.example.com",
    ],
)
async def test_list_at_another_origin_is_never_fetched_and_its_tokens_are_refused(
    api: Api, issuer: TokenIssuer, uri: str
) -> None:
    issuer.publish_list()
    hosts: set[str] = set()

    def watch(request: httpx.Request) -> httpx.Response:
        hosts.add(request.url.netloc.decode())
        return httpx.Response(404)

    answer = issuer.transport.handler
    issuer.transport.handler = lambda request: (watch(request), answer(request))[1]  # type: ignore[assignment]
    assert await api.verdict(issuer.access_token(status=status(1))) == "served"
    assert await api.verdict(issuer.access_token(status=status(1, uri))) == "refused"
    assert hosts == {"id.example.com"}


async def test_list_at_another_origin_is_fetched_when_the_metadata_names_it(api: Api, issuer: TokenIssuer) -> None:
    published = issuer.publish_list(ELSEWHERE)
    published.revoke(9)
    tokens = [issuer.access_token(status=status(idx, ELSEWHERE)) for idx in (1, 9)]
    assert [await api.verdict(token) for token in tokens] == ["served", "refused"]


async def test_list_of_an_unverified_token_is_never_fetched(api: Api, issuer: TokenIssuer) -> None:
    published = issuer.publish_list(announced=False)
    token = issuer.access_token(status=status(1))
    assert await api.verdict(token[:-4] + "AAAA") == "refused"
    await api.fetch()
    assert not published.requests
    assert await api.verdict(token) == "served"
    assert published.requests


async def test_token_is_refused_when_its_key_is_withdrawn_while_its_list_is_fetched(
    api: Api, issuer: TokenIssuer
) -> None:
    published = issuer.publish_list()
    await api.remote.key_set.refresh()
    published.gate.clear()
    verdict = asyncio.create_task(api.verdict(issuer.access_token(status=status(1))))
    await until(lambda: bool(published.requests))
    issuer.rotate()
    await api.remote.key_set.refresh()
    published.token = published.signed()
    published.gate.set()
    assert await verdict == "refused"


def test_status_max_age_below_one_second_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        StatusPolicy(max_age=0)
