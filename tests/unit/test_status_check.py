"""A revoked token is refused wherever the list is known, and an explicit policy decides where it is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tallystick.clock import LEEWAY
from tallystick.errors import InvalidToken, TemporarilyUnavailable
from tallystick.remote.issuer import RemoteIssuer
from tallystick.remote.issuer_metadata import MAX_STATUS_LISTS
from tallystick.remote.shared_fetch import COOLDOWN
from tallystick.status_check import StatusPolicy
from tallystick.verifier import Verifier
from tests.support.token_issuer import AUDIENCE, ISSUER, STATUS_LIST_URI, TokenIssuer, status
from tests.support.waiting import until

SERVE = StatusPolicy()
FAIL = StatusPolicy(max_age=30)
ELSEWHERE = "https://cdn.example.net/status-lists/1"


class Api:
    """A verifier and the issuer that it follows. `fetch` is one round of the background loop, and its end."""

    def __init__(self, issuer: TokenIssuer, policy: StatusPolicy) -> None:
        self.remote = RemoteIssuer(ISSUER, clock=issuer.clock, transport=issuer.transport, follow_every=3600)
        self.verifier = Verifier(self.remote, AUDIENCE, status_policy=policy, clock=issuer.clock)

    async def fetch(self) -> None:
        await self.remote.key_set.refresh()
        self.remote.status_lists.start_round()
        for followed in self.remote.status_lists:
            await followed.fetching.join()

    async def verdict(self, token: str) -> str:
        try:
            await self.verifier.verify(token)
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
    """What holds under both policies."""
    async with running(issuer, request.param) as api:
        yield api


async def test_a_revoked_token_is_refused_and_its_neighbours_live(api: Api, issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    mine, neighbour = issuer.access_token(status=status(9)), issuer.access_token(status=status(10))
    assert [await api.verdict(token) for token in (mine, neighbour)] == ["served"] * 2
    issuer.clock.advance(seconds=1)
    published.revoke(9)
    await api.fetch()
    assert [await api.verdict(token) for token in (mine, neighbour)] == ["refused", "served"]
    assert await api.verdict(issuer.access_token(status=status(9), jti="another of the family")) == "refused"


@pytest.mark.parametrize("idx", range(4))
async def test_whatever_is_not_valid_is_refused(api: Api, issuer: TokenIssuer, idx: int) -> None:
    """Suspended, or of a meaning that we do not know (Token Status List §7.1)."""
    published = issuer.publish_list()
    published.token = published.signed(status_list={"bits": 2, "lst": "eNo76fITAAPfAgc"})
    assert await api.verdict(issuer.access_token(status=status(idx))) == ("served" if idx == 2 else "refused")


async def test_a_remembered_token_is_looked_up_each_time_and_asks_nobody(api: Api, issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    token = issuer.access_token(status=status(9))
    claims = await api.verifier.verify(token)
    paths = list(issuer.paths)
    for _ in range(100):
        assert await api.verifier.verify(token) is claims
    published.revoke(9)
    for _ in range(100):
        assert await api.verdict(token) == "served"
    assert issuer.paths == paths
    await api.fetch()
    assert await api.verdict(token) == "refused"


async def test_a_token_without_a_status_is_believed(issuer: TokenIssuer) -> None:
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
async def test_a_malformed_status_is_no_good_token(api: Api, issuer: TokenIssuer, claim: object) -> None:
    issuer.publish_list()
    assert await api.verdict(issuer.access_token(status=status(1))) == "served"
    assert await api.verdict(issuer.access_token(status=claim)) == "refused"


async def test_other_ways_to_tell_a_status_are_ignored(api: Api, issuer: TokenIssuer) -> None:
    issuer.publish_list()
    assert await api.verdict(issuer.access_token(status=status(1) | {"another": 5})) == "served"


@pytest.mark.parametrize("announced", [True, False])
async def test_an_unknown_list_is_waited_for_once(api: Api, issuer: TokenIssuer, announced: bool) -> None:
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
async def test_a_place_beyond_the_list_is_refused_after_one_fetch(api: Api, issuer: TokenIssuer, idx: int) -> None:
    published = issuer.publish_list(size=64)
    assert await api.verdict(issuer.access_token(status=status(63))) == "served"
    before = len(published.requests)
    tokens = [issuer.access_token(status=status(idx), jti=f"token-{i}") for i in range(50)]
    assert await asyncio.gather(*[api.verdict(token) for token in tokens]) == ["refused"] * 50
    assert [await api.verdict(token) for token in tokens] == ["refused"] * 50
    assert len(published.requests) == before + 1
    issuer.clock.advance(seconds=COOLDOWN)
    await api.verdict(tokens[0])
    assert len(published.requests) == before + 2


async def test_a_place_that_is_new_is_found_by_its_first_token(api: Api, issuer: TokenIssuer) -> None:
    published = issuer.publish_list(size=64)
    assert await api.verdict(issuer.access_token(status=status(1))) == "served"
    issuer.clock.advance(seconds=1)
    published.statuses += bytes(8)
    published.revoke(65)
    tokens = [issuer.access_token(status=status(idx)) for idx in (64, 65)]
    assert [await api.verdict(token) for token in tokens] == ["served", "refused"]


@pytest.mark.parametrize(("policy", "verdict"), [(SERVE, "served"), (FAIL, "unavailable")])
class TestWhatCannotBeKnown:
    """Never the token's fault: it is served, or asked to come again."""

    async def test_a_list_that_was_never_there(self, issuer: TokenIssuer, policy: StatusPolicy, verdict: str) -> None:
        published = issuer.publish_list()
        published.status = 500
        async with running(issuer, policy) as api:
            token = issuer.access_token(status=status(9))
            assert [await api.verdict(token) for _ in range(3)] == [verdict] * 3
            requests = len(published.requests)
            published.gate.clear()
            assert await api.verdict(issuer.access_token(status=status(10))) == verdict  # and nobody waits again
            assert len(published.requests) == requests
            published.gate.set()
            published.status = 200
            published.revoke(9)
            await api.fetch()
            assert await api.verdict(token) == "refused"

    async def test_a_list_that_is_too_old(self, issuer: TokenIssuer, policy: StatusPolicy, verdict: str) -> None:
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

    async def test_a_place_beyond_a_list_that_is_away(
        self, issuer: TokenIssuer, policy: StatusPolicy, verdict: str
    ) -> None:
        published = issuer.publish_list(size=64)
        async with running(issuer, policy) as api:
            await api.fetch()
            published.status = 500
            assert await api.verdict(issuer.access_token(status=status(64))) == verdict

    async def test_more_lists_than_are_followed(self, issuer: TokenIssuer, policy: StatusPolicy, verdict: str) -> None:
        uris = [f"{ISSUER}/status-lists/{number}" for number in range(MAX_STATUS_LISTS + 1)]
        for uri in uris:
            issuer.publish_list(uri, announced=False)
        async with running(issuer, policy) as api:
            verdicts = [await api.verdict(issuer.access_token(status=status(1, uri))) for uri in uris]
        assert verdicts == ["served"] * MAX_STATUS_LISTS + [verdict]
        assert not issuer.lists[uris[-1]].requests

    async def test_a_list_elsewhere_while_nobody_can_say_whose_it_is(
        self, issuer: TokenIssuer, policy: StatusPolicy, verdict: str
    ) -> None:
        published = issuer.publish_list(ELSEWHERE)
        async with running(issuer, policy) as api:
            await api.remote.key_set.refresh()
            issuer.is_away = True
            assert await api.verdict(issuer.access_token(status=status(1, ELSEWHERE))) == verdict
        assert not published.requests


async def test_a_304_makes_no_list_younger(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    token = issuer.access_token(status=status(1))
    async with running(issuer, FAIL) as api:
        assert await api.verdict(token) == "served"
        for _ in range(4):
            issuer.clock.advance(seconds=10)
            await api.fetch()
        assert "If-None-Match" in published.requests[-1].headers
        assert await api.verdict(token) == "unavailable"


async def test_an_expired_list_is_an_old_one(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    published.token = published.signed(exp=issuer.clock.now - 55)
    token = issuer.access_token(status=status(1))
    async with running(issuer, FAIL) as api:
        assert await api.verdict(token) == "served"
        issuer.clock.advance(seconds=6)
        assert await api.verdict(token) == "unavailable"


async def test_an_expired_list_says_nothing_of_a_token_that_was_issued_after_it(issuer: TokenIssuer) -> None:
    """By then the place may be another family's."""
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


async def test_a_list_that_is_gone_is_no_reason_to_say_that_tokens_are_turned_away(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    async with running(issuer, FAIL) as api:
        assert await api.verdict(issuer.access_token(status=status(1))) == "served"
        issuer.clock.advance(seconds=31)
        assert api.verifier.statuses.is_failing_closed
        published.status = 404
        await api.fetch()
        assert not api.verifier.statuses.is_failing_closed


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
async def test_a_list_elsewhere_is_never_fetched_and_its_tokens_are_refused(
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


async def test_a_list_elsewhere_is_followed_when_the_metadata_leads_to_it(api: Api, issuer: TokenIssuer) -> None:
    published = issuer.publish_list(ELSEWHERE)
    published.revoke(9)
    tokens = [issuer.access_token(status=status(idx, ELSEWHERE)) for idx in (1, 9)]
    assert [await api.verdict(token) for token in tokens] == ["served", "refused"]


async def test_a_list_that_only_an_unverified_token_names_is_never_fetched(api: Api, issuer: TokenIssuer) -> None:
    published = issuer.publish_list(announced=False)
    token = issuer.access_token(status=status(1))
    assert await api.verdict(token[:-4] + "AAAA") == "refused"
    await api.fetch()
    assert not published.requests
    assert await api.verdict(token) == "served"
    assert published.requests


async def test_while_a_list_is_waited_for_the_key_may_go(api: Api, issuer: TokenIssuer) -> None:
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


def test_a_policy_of_no_time_stops_the_start() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        StatusPolicy(max_age=0)
