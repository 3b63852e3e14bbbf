"""One token and one token request for all threads, tasks, loops and forks; renewal; a token endpoint in trouble."""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tallystick.client import ClientCredentials, TokenError, TokenRequestRefused, TokenUnavailable, shared_token
from tallystick.client.shared_token import SharedToken
from tallystick.client.token_response import IssuedToken
from tallystick.request_id import own_request_id
from tests.support.calling_client import API, INVALID_TOKEN, Api, Seconds, TokenServer, credentials
from tests.support.patience import PATIENCE
from tests.support.waiting import until, wait_until

MANY = 50


@pytest.fixture
def server() -> Iterator[TokenServer]:
    server = TokenServer()
    yield server
    server.gate.set()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def api() -> Api:
    return Api()


def get(auth: ClientCredentials, api: Api) -> httpx.Response:
    with httpx.Client(transport=api.transport, auth=auth) as http:
        return http.get(f"{API}/notes")


async def aget(auth: ClientCredentials, api: Api) -> httpx.Response:
    async with httpx.AsyncClient(transport=api.transport, auth=auth) as http:
        return await http.get(f"{API}/notes")


# Sharing


@pytest.mark.parametrize("is_replacement", [False, True], ids=["first", "revoked"])
def test_threads_and_tasks_of_two_loops_share_one_token_request(server: TokenServer, is_replacement: bool) -> None:
    auth = credentials(server)
    revoked = "token-1" if is_replacement else ""
    api = Api(lambda token: httpx.Response(401, headers=INVALID_TOKEN) if token == revoked else httpx.Response(200))
    if is_replacement:
        api.answer, refusing = (lambda _: httpx.Response(200)), api.answer
        get(auth, api)
        api.answer = refusing
    server.gate.clear()
    begin = threading.Barrier(MANY + 2 + 1)

    def in_a_thread() -> int:
        begin.wait()
        return get(auth, api).status_code

    def in_a_loop() -> list[int]:
        async def tasks() -> list[int]:
            return [
                response.status_code for response in await asyncio.gather(*(aget(auth, api) for _ in range(MANY // 2)))
            ]

        begin.wait()
        return asyncio.run(tasks())

    with ThreadPoolExecutor(MANY + 2) as pool:
        threads = [pool.submit(in_a_thread) for _ in range(MANY)]
        loops = [pool.submit(in_a_loop) for _ in range(2)]
        begin.wait()
        wait_until(lambda: len(server.requests) == 1 + is_replacement)
        server.gate.set()
        assert [future.result() for future in threads] == [200] * MANY
        assert [future.result() for future in loops] == [[200] * (MANY // 2)] * 2
    assert len(server.requests) == 1 + is_replacement
    assert set(api.tokens) == ({"token-1", "token-2"} if is_replacement else {"token-1"})


async def test_cancelled_task_does_not_end_the_token_request_of_others(server: TokenServer, api: Api) -> None:
    auth = credentials(server)
    server.gate.clear()
    first = asyncio.create_task(aget(auth, api))
    await until(lambda: bool(server.requests))
    second = asyncio.create_task(aget(auth, api))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    server.gate.set()
    assert (await second).status_code == 200
    assert len(server.requests) == 1


def test_one_instance_works_on_one_event_loop_after_another(server: TokenServer, api: Api, seconds: Seconds) -> None:
    auth = credentials(server, clock=seconds)
    for _ in range(3):
        assert asyncio.run(aget(auth, api)).status_code == 200
        seconds.advance(300)
    assert api.tokens == ["token-1", "token-2", "token-3"]


@pytest.mark.parametrize("is_held", [False, True], ids=["token request under way", "token held"])
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_forked_process_uses_the_token_or_requests_its_own(server: TokenServer, api: Api, is_held: bool) -> None:
    auth = credentials(server)
    if is_held:
        get(auth, api)
    server.gate.clear()
    waiting = threading.Thread(target=lambda: get(auth, api))
    fetches = auth._token._fetches()
    waiting.start()
    wait_until(lambda: bool(server.requests))
    with fetches.lock:  # as if another thread held it at the moment of the fork
        child = os.fork()
    if child == 0:  # the status tells how it went, because only the parent reports to pytest
        status = 3
        try:
            server.gate.set()
            status = 0 if get(auth, api).status_code == 200 and len(server.requests) == 1 + (not is_held) else 2
        finally:
            os._exit(status)
    server.gate.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    waiting.join()
    assert len(server.requests) == 1


def test_token_request_has_the_request_id_of_the_request_that_needs_it(server: TokenServer, api: Api) -> None:
    with own_request_id() as name:
        get(credentials(server), api)
    assert server.requests[0].headers["X-Request-ID"] == name


# Renewal


def test_token_is_renewed_before_it_expires_without_a_wait(server: TokenServer, api: Api, seconds: Seconds) -> None:
    auth = credentials(server, clock=seconds)
    get(auth, api)
    seconds.advance(209)  # less than 0.7 of the lifetime
    get(auth, api)
    assert len(server.requests) == 1
    seconds.advance(32)  # more than 0.8
    server.gate.clear()
    for _ in range(3):
        assert get(auth, api).status_code == 200  # the renewal is waiting
    wait_until(lambda: len(server.requests) == 2)
    server.gate.set()
    wait_until(lambda: get(auth, api).status_code == 200 and api.tokens[-1] == "token-2")
    assert api.tokens[:5] == ["token-1"] * 5
    assert len(server.requests) == 2


def test_failed_renewal_fails_no_request_until_the_token_expires(
    server: TokenServer, api: Api, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tallystick.client")
    auth = credentials(server, clock=seconds)
    get(auth, api)
    seconds.advance(241)
    server.answers = [httpx.ConnectError("connection refused") for _ in range(9)]
    for attempt in (2, 3):
        assert get(auth, api).status_code == 200
        wait_until(lambda attempt=attempt: len(server.requests) == attempt and _is_idle(auth))  # type: ignore[misc]
        assert get(auth, api).status_code == 200  # no attempt in the pause of a second
        assert len(server.requests) == attempt
        seconds.advance(1)
    seconds.advance(48)  # ten seconds before the expiry
    with pytest.raises(TokenUnavailable, match="connection refused"):
        get(auth, api)
    assert api.tokens == ["token-1"] * 5
    seconds.advance(1)
    server.answers = []
    assert get(auth, api).status_code == 200
    lines = [record.message for record in caplog.records if record.name == "tallystick.client"]
    assert [line.partition(" of ")[0] for line in lines] == ["client 'bot'", "client 'bot'"]
    assert lines[0].endswith("got no access token: no token endpoint: connection refused")
    assert lines[1].endswith("gets access tokens again")


def _is_idle(auth: ClientCredentials) -> bool:
    return auth._token._fetches().under_way is None


@pytest.mark.parametrize("lifetime", [1, 0.001])
def test_very_short_lifetimes_work(server: TokenServer, api: Api, seconds: Seconds, lifetime: float) -> None:
    server.changes = {"expires_in": lifetime}
    auth = credentials(server, clock=seconds)
    for _ in range(3):
        assert get(auth, api).status_code == 200
        seconds.advance(lifetime)
    assert api.tokens == ["token-1", "token-2", "token-3"]


# A token endpoint in trouble


@pytest.mark.parametrize("send", [get, lambda auth, api: asyncio.run(aget(auth, api))], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(500), TokenUnavailable),
        (httpx.Response(200, html="<html>"), TokenUnavailable),
        (httpx.Response(200, content=b" " * 70_000), TokenUnavailable),
        (httpx.Response(200, headers={"Content-Encoding": "identity, x"}, content=b"{}"), TokenUnavailable),
        (httpx.Response(400, json={"error": "invalid_scope"}), TokenRequestRefused),
        (httpx.ReadError("reset"), TokenUnavailable),
        (httpx.InvalidURL("bad"), TokenUnavailable),
        (OSError("no network"), TokenUnavailable),
        (RuntimeError("a fault of the transport"), TokenUnavailable),
    ],
    ids=lambda value: f"{value!r:.60}",
)
def test_bad_answer_is_one_error_for_each_request_in_the_pause_and_no_second_token_request(
    server: TokenServer,
    api: Api,
    seconds: Seconds,
    answer: httpx.Response | Exception,
    error: type[TokenError],
    send: Callable[[ClientCredentials, Api], httpx.Response],
) -> None:
    server.answers = [answer]
    auth = credentials(server, clock=seconds)
    raised = []
    for _ in range(2):
        with pytest.raises(error) as failed:
            send(auth, api)
        raised.append(failed.value)
    assert raised[0] is not raised[1]
    assert str(raised[0]) == str(raised[1])
    assert not api.tokens
    assert len(server.requests) == 1
    seconds.advance(5)
    assert send(auth, api).status_code == 200


@pytest.mark.parametrize("send", [get, lambda auth, api: asyncio.run(aget(auth, api))], ids=["sync", "async"])
def test_token_endpoint_that_does_not_answer_is_waited_for_a_bounded_time(
    server: TokenServer, api: Api, send: Callable[[ClientCredentials, Api], httpx.Response]
) -> None:
    server.gate.clear()
    with pytest.raises(TokenUnavailable, match=r"did not (answer within|end in time)"):
        send(credentials(server, timeout=0.05), api)


def test_answer_that_never_ends_is_waited_for_a_bounded_time(api: Api) -> None:
    """Each byte arrives in time, so that only the time for the whole answer ends it."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                try:
                    while not ended.wait(0.02):
                        connection.sendall(b"x")
                except OSError:  # the client has given up
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        auth = ClientCredentials(
            token_endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}/token",
            client_id="bot",
            client_secret="secret",
            resource=API,
            timeout=0.3,
        )
        try:
            with pytest.raises(TokenUnavailable, match=r"did not (answer within|end in time)"):
                get(auth, api)
        finally:
            ended.set()
            # If the client gave up before it was connected, the thread still waits for a connection.
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def test_short_retry_after_is_waited_for(server: TokenServer, api: Api) -> None:
    server.answers = [httpx.Response(429, headers={"Retry-After": "0"})]
    assert get(credentials(server), api).status_code == 200
    assert len(server.requests) == 2


@pytest.mark.parametrize(("retry_after", "pause"), [("60", 60), ("999999999", 300)])
@pytest.mark.parametrize("status", [429, 503])
def test_long_retry_after_is_reported_and_no_token_is_requested_before(
    server: TokenServer, api: Api, seconds: Seconds, status: int, retry_after: str, pause: int
) -> None:
    server.answers = [httpx.Response(status, headers={"Retry-After": retry_after})]
    auth = credentials(server, clock=seconds, timeout=50)
    for _ in range(2):
        with pytest.raises(TokenUnavailable, match=str(status)) as busy:
            get(auth, api)
        assert busy.value.retry_after == pause
        seconds.advance(pause / 2 - 0.5)
    assert len(server.requests) == 1
    seconds.advance(1)
    assert get(auth, api).status_code == 200


def test_503_without_retry_after_is_not_repeated_at_once(server: TokenServer, api: Api, seconds: Seconds) -> None:
    server.answers = [httpx.Response(503)]
    with pytest.raises(TokenUnavailable):
        get(credentials(server, clock=seconds), api)
    assert len(server.requests) == 1


def test_machine_without_threads_left_is_an_error_until_there_is_one(
    server: TokenServer, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = credentials(server)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TokenUnavailable, match="can't start new thread"):
            get(auth, api)
    assert get(auth, api).status_code == 200


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_fetch_that_does_not_end_is_replaced_by_another_one(monkeypatch: pytest.MonkeyPatch, is_async: bool) -> None:
    monkeypatch.setattr(shared_token, "_THREAD_GRACE", 0.05)
    ended, begun = threading.Event(), []

    async def fetch() -> IssuedToken:
        begun.append(1)
        if len(begun) == 1:
            ended.wait()  # blocks its event loop, so that no timeout there ends it
        return IssuedToken(f"token-{len(begun)}", 300)

    token = SharedToken(fetch, name="client 'bot'", timeout=0.01)
    try:
        with pytest.raises(TokenUnavailable, match="did not end in time"):
            asyncio.run(token.aget()) if is_async else token.get()
        monkeypatch.setattr(shared_token, "_THREAD_GRACE", PATIENCE)
        assert token.get().value == "token-2"
    finally:
        ended.set()
