"""A revocation arrives in every kind of process: threads, forks, event loops that end, and suspended processes.

`Suspension` moves the clock that measures the progress of the fetches, as a suspended machine does.
"""

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import async_to_sync

from tallystick import AsyncVerifier, InvalidToken, TemporarilyUnavailable, Verifier
from tallystick.remote import follower as follower_module
from tallystick.remote import issuer as issuer_module
from tallystick.remote.fetch_loop import FetchLoop
from tallystick.remote.follower import IssuerFollower
from tallystick.remote.issuer import RemoteIssuer
from tallystick.remote.options import StatusPolicyName
from tests.support.token_issuer import AUDIENCE, ISSUER, PublishedList, TokenIssuer, status
from tests.support.waiting import until, wait_until

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Suspension:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.seconds


@pytest.fixture
def suspension(monkeypatch: pytest.MonkeyPatch) -> Suspension:
    suspension = Suspension()
    monkeypatch.setattr(issuer_module, "elapsed", suspension)
    monkeypatch.setattr(follower_module, "elapsed", suspension)
    return suspension


@pytest.fixture
def published(issuer: TokenIssuer) -> PublishedList:
    return issuer.publish_list()


@pytest.fixture
def token(issuer: TokenIssuer, published: PublishedList) -> str:
    """A token whose status is at index 9."""
    return issuer.access_token(status=status(9))


@pytest.fixture
def verifier(issuer: TokenIssuer, published: PublishedList) -> Iterator[Verifier]:
    with Verifier(ISSUER, AUDIENCE, clock=issuer.clock, transport=issuer.transport, follow_every=0.05) as verifier:
        yield verifier


@pytest.fixture
def slow_verifier(issuer: TokenIssuer, published: PublishedList, suspension: Suspension) -> Iterator[Verifier]:
    """Its next round is two seconds away, so that a revocation is found only by a refresh before a verification."""
    with Verifier(ISSUER, AUDIENCE, clock=issuer.clock, transport=issuer.transport) as verifier:
        yield verifier


def follower_of(verifier: Verifier) -> IssuerFollower:
    return verifier._decision.follower


def fetch_loop_of(verifier: Verifier) -> FetchLoop:
    fetch_loop = follower_of(verifier)._fetch_loop
    assert fetch_loop is not None
    return fetch_loop


def is_refused(verify: Callable[[], object]) -> bool:
    try:
        verify()
    except InvalidToken:
        return True
    return False


def in_a_new_event_loop(verifier: AsyncVerifier, token: str) -> object:
    return asyncio.run(verifier.verify(token))


def by_async_to_sync(verifier: AsyncVerifier, token: str) -> object:
    return async_to_sync(verifier.verify)(token)


@pytest.mark.parametrize("call", [in_a_new_event_loop, by_async_to_sync])
@pytest.mark.parametrize("change", ["revoked token", "withdrawn key"])
def test_change_arrives_when_each_call_has_an_event_loop_of_its_own(
    verifier: Verifier,
    issuer: TokenIssuer,
    published: PublishedList,
    token: str,
    call: Callable[[AsyncVerifier, str], object],
    change: str,
) -> None:
    assert call(verifier.as_async(), token)
    if change == "revoked token":
        published.revoke(9)
    else:
        issuer.rotate()
        published.token = published.signed()
    wait_until(lambda: is_refused(lambda: call(verifier.as_async(), token)))


def test_change_arrives_in_every_thread(verifier: Verifier, published: PublishedList, token: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert all(claims.sub for claims in threads.map(verifier.verify, [token] * 40))
        fetch_loop = fetch_loop_of(verifier)
        published.revoke(9)
        wait_until(lambda: is_refused(lambda: verifier.verify(token)))
        assert all(threads.map(lambda _: is_refused(lambda: verifier.verify(token)), range(40)))
    assert fetch_loop_of(verifier) is fetch_loop


def test_nothing_runs_before_the_first_verification(issuer: TokenIssuer) -> None:
    verifier = Verifier(ISSUER, AUDIENCE, transport=issuer.transport)
    assert not issuer.paths
    assert follower_of(verifier)._fetch_loop is None


@pytest.mark.parametrize("is_locked", [False, True])
def test_forked_process_starts_its_own_thread(
    slow_verifier: Verifier, suspension: Suspension, published: PublishedList, token: str, is_locked: bool
) -> None:
    assert slow_verifier.verify(token)
    follower = follower_of(slow_verifier)
    if is_locked:  # by a thread that the child does not have
        follower._locks.setdefault(os.getpid(), threading.Lock()).acquire()
    child = os.fork()
    if child == 0:
        try:
            accepted = bool(slow_verifier.verify(token))
            published.revoke(9)
            suspension.seconds += 5
            os._exit(0 if accepted and is_refused(lambda: slow_verifier.verify(token)) else 1)
        finally:
            os._exit(2)
    if is_locked:
        follower._locks[os.getpid()].release()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert slow_verifier.verify(token)  # the parent's thread continues


def test_forked_process_looks_up_an_unknown_key(slow_verifier: Verifier, issuer: TokenIssuer, token: str) -> None:
    assert slow_verifier.verify(token)
    issuer.rotate()
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if slow_verifier.verify(issuer.access_token()).sub else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def end_the_task(verifier: Verifier) -> None:
    fetch_loop = fetch_loop_of(verifier)
    task = fetch_loop.issuer._task
    assert task is not None
    fetch_loop.loop.call_soon_threadsafe(task.cancel)
    wait_until(lambda: not fetch_loop.is_alive)


def block_the_loop(verifier: Verifier) -> None:
    fetch_loop_of(verifier).loop.call_soon_threadsafe(lambda: time.sleep(3))


def suspend_the_process(verifier: Verifier) -> None:
    """Nothing more than the step of the clock."""


@pytest.mark.parametrize("fault", [end_the_task, block_the_loop, suspend_the_process])
def test_verification_refreshes_first_when_the_rounds_made_no_progress(
    slow_verifier: Verifier,
    suspension: Suspension,
    published: PublishedList,
    token: str,
    fault: Callable[[Verifier], None],
) -> None:
    assert slow_verifier.verify(token)
    fault(slow_verifier)
    published.revoke(9)
    suspension.seconds += 5
    with pytest.raises(InvalidToken):
        slow_verifier.verify(token)


def test_rounds_that_raise_are_logged_and_start_again(
    verifier: Verifier,
    suspension: Suspension,
    published: PublishedList,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert verifier.verify(token)
    fetch_loop = fetch_loop_of(verifier)
    monkeypatch.setattr(fetch_loop.issuer.status_lists, "start_round", lambda: 1 / 0)
    wait_until(lambda: not fetch_loop.is_alive)
    assert "ZeroDivisionError" in caplog.text
    published.revoke(9)
    suspension.seconds += 5
    with pytest.raises(InvalidToken):
        verifier.verify(token)


def test_threads_share_one_refresh(
    slow_verifier: Verifier,
    suspension: Suspension,
    published: PublishedList,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert slow_verifier.verify(token)
    published.revoke(9)
    follower, begun = follower_of(slow_verifier), []
    new_issuer = follower._new_issuer

    def count() -> RemoteIssuer:
        begun.append(1)
        return new_issuer()

    monkeypatch.setattr(follower, "_new_issuer", count)
    suspension.seconds += 5
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda _: is_refused(lambda: slow_verifier.verify(token)), range(8)))
    assert 1 <= len(begun) < 8  # one, unless the machine is so slow that the documents are late again


def test_event_loop_that_ended_without_aclose_is_replaced(
    slow_verifier: Verifier, suspension: Suspension, published: PublishedList, token: str
) -> None:
    verifier = slow_verifier.as_async()

    async def serve() -> None:
        await verifier.__aenter__()
        assert await verifier.verify(token)

    asyncio.run(serve())
    published.revoke(9)
    suspension.seconds += 5
    with pytest.raises(InvalidToken):
        asyncio.run(verifier.verify(token))


async def test_late_rounds_on_the_running_loop_are_made_up_there(
    issuer: TokenIssuer, suspension: Suspension, published: PublishedList, token: str
) -> None:
    async with AsyncVerifier(ISSUER, AUDIENCE, clock=issuer.clock, transport=issuer.transport) as verifier:
        assert await verifier.verify(token)
        published.revoke(9)
        suspension.seconds += 5
        with pytest.raises(InvalidToken):
            await verifier.verify(token)
        fetch_loop = verifier._decision.follower._fetch_loop
        assert fetch_loop is not None
        assert fetch_loop.loop is asyncio.get_running_loop()


async def test_cancelled_request_cancels_no_look_up_of_others(
    issuer: TokenIssuer, verifier: Verifier, token: str
) -> None:
    both = verifier.as_async()
    assert await both.verify(token)
    issuer.rotate()
    unknown = issuer.access_token()
    first, second = (asyncio.create_task(both.verify(unknown)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).sub


@pytest.mark.parametrize("policy", ["serve_until_exp", "fail_closed"])
def test_policy_decides_when_no_thread_can_be_started(
    issuer: TokenIssuer,
    suspension: Suspension,
    token: str,
    policy: StatusPolicyName,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with Verifier(ISSUER, AUDIENCE, status_policy=policy, clock=issuer.clock, transport=issuer.transport) as verifier:
        assert verifier.verify(token)
        end_the_task(verifier)
        suspension.seconds += 5
        monkeypatch.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            if policy == "serve_until_exp":
                assert verifier.verify(token)
            else:
                with pytest.raises(TemporarilyUnavailable):
                    verifier.verify(token)
        monkeypatch.undo()
    lines = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [line.name for line in lines] == ["tallystick.verifier"]


def test_issuer_that_is_away_is_no_error(
    slow_verifier: Verifier,
    issuer: TokenIssuer,
    suspension: Suspension,
    token: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert slow_verifier.verify(token)
    issuer.is_away = True
    suspension.seconds += 5
    assert slow_verifier.verify(token)
    assert "ERROR" not in {record.levelname for record in caplog.records}


def test_thread_ends_with_the_last_reference_to_its_verifier(issuer: TokenIssuer) -> None:
    verifier = Verifier(ISSUER, AUDIENCE, clock=issuer.clock, transport=issuer.transport)
    assert verifier.verify(issuer.access_token())
    thread = fetch_loop_of(verifier)._thread
    assert thread is not None
    del verifier
    gc.collect()
    wait_until(lambda: not thread.is_alive())


async def test_readiness_check_starts_the_first_fetch(verifier: Verifier) -> None:
    await until(lambda: verifier.is_ready)


def test_closed_verifier_can_be_used_again(verifier: Verifier, published: PublishedList, token: str) -> None:
    assert verifier.verify(token)
    fetch_loop = fetch_loop_of(verifier)
    verifier.close()
    assert fetch_loop._thread is not None
    assert not fetch_loop._thread.is_alive()
    published.revoke(9)
    wait_until(lambda: is_refused(lambda: verifier.verify(token)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"issuer": ""}, "^issuer is missing$"),
        ({"issuer": None}, "^issuer is missing$"),
        ({"issuer": "id.example.com"}, "^issuer: .* is not an http.s. URL"),
        ({"issuer": "http://id.example.com"}, "https"),
        ({"issuer": "https://id.example.com?x"}, "query"),
        ({"audience": ""}, "^audience is missing$"),
        ({"audience": ["https://api.example.com"]}, "^audience is text, not list$"),
        ({"audience": "notes"}, "absolute URI"),
        ({"audience": "http://api.example.com"}, "https"),
        ({"follow_every": 3}, "at most 2"),
        ({"follow_every": 0}, "above 0"),
        ({"follow_every": float("nan")}, "above 0"),
        ({"status_policy": "fail-closed"}, "fail_closed"),
        ({"status_policy": "fail_closed", "status_max_age": 0}, "status_max_age"),
        ({"jwks_uri": "http://id.example.com/keys"}, "https"),
    ],
)
@pytest.mark.parametrize("kind", [Verifier, AsyncVerifier])
def test_invalid_configuration_stops_the_start_with_one_sentence(
    kind: Callable[..., object], changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        kind(**{"issuer": ISSUER, "audience": AUDIENCE} | changes)
    assert "\n" not in str(refused.value)


def test_unknown_option_stops_the_start() -> None:
    with pytest.raises(TypeError, match="jwks_url"):
        Verifier(ISSUER, AUDIENCE, jwks_url=f"{ISSUER}/keys")  # type: ignore[call-arg]
