"""The app sessions, in a SQLite file that all worker processes share.

The file holds tokens, so only its owner may read it. An app on several machines needs a database that they share; the
statements stay the same. When the file is lost, users with a login at the issuer sign in again without a password.
"""

import asyncio
import hashlib
import json
import logging
import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from examples.web_app.errors import ServiceUnavailable
from examples.web_app.sessions import AppSession, Tokens, User
from tallystick.clock import Clock, system_clock

log = logging.getLogger(__name__)
Result = TypeVar("Result")

IDLE_TIMEOUT = 8 * 3600
"""Seconds without a request after which an app session is removed."""

MAX_SESSIONS = 10_000
"""When there are more, the sessions that have been idle the longest are removed."""

MAX_LOGOUT_TOKENS = 10_000
"""How many `jti` of logout tokens are remembered. Only tokens that the issuer signed are."""

_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS sessions (
    number INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    user TEXT NOT NULL,
    sub TEXT NOT NULL,
    sid TEXT,
    tokens TEXT NOT NULL,
    csrf_token TEXT NOT NULL,
    last_seen INTEGER NOT NULL,
    refresh_until INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS sessions_last_seen ON sessions (last_seen);
CREATE INDEX IF NOT EXISTS sessions_sub ON sessions (sub);
CREATE INDEX IF NOT EXISTS sessions_sid ON sessions (sid);
CREATE TABLE IF NOT EXISTS logout_tokens (number INTEGER PRIMARY KEY, jti TEXT NOT NULL UNIQUE, forget_at INTEGER);
CREATE INDEX IF NOT EXISTS logout_tokens_forget_at ON logout_tokens (forget_at);
"""


class SessionStore:
    """App sessions by the SHA-256 of their cookie. Times are Unix seconds.

    Each method is one transaction in a thread. It raises ServiceUnavailable when the file cannot be read or written.
    """

    def __init__(
        self,
        file: Path,
        clock: Clock = system_clock,
        *,
        max_sessions: int = MAX_SESSIONS,
        max_logout_tokens: int = MAX_LOGOUT_TOKENS,
    ) -> None:
        """Create the file when it does not exist. Raises OSError or sqlite3.Error when that is not possible."""
        self._file = file
        self._clock = clock
        self.max_sessions = max_sessions
        self.max_logout_tokens = max_logout_tokens
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(self._connect()) as connection:
            connection.executescript(_SCHEMA)

    async def open(self, session: AppSession) -> str:
        """Store a new session; return its cookie, 256 random bits."""
        cookie = secrets.token_urlsafe(32)
        user, tokens = json.dumps(asdict(session.user)), _text(session.tokens)
        values = _hash(cookie), user, session.user.sub, session.sid, tokens, session.csrf_token, self._clock()

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM sessions WHERE last_seen <= ?", (self._idle_since(),))
            connection.execute(
                "INSERT INTO sessions (key, user, sub, sid, tokens, csrf_token, last_seen) VALUES (?,?,?,?,?,?,?)",
                values,
            )
            connection.execute(
                "DELETE FROM sessions WHERE number IN "
                "(SELECT number FROM sessions ORDER BY last_seen DESC, number DESC LIMIT -1 OFFSET ?)",
                (self.max_sessions,),
            )

        await self._run(insert)
        return cookie

    async def find(self, cookie: str) -> AppSession | None:
        """Return the session, and restart its idle time."""
        rows = await self._execute(
            "UPDATE sessions SET last_seen = ? WHERE key = ? AND last_seen > ? RETURNING *",
            *(self._clock(), _hash(cookie), self._idle_since()),
        )
        return _session(rows[0]) if rows else None

    async def reload(self, session: AppSession) -> AppSession | None:
        """Return what is stored of a session now. None when it was closed."""
        rows = await self._execute("SELECT * FROM sessions WHERE key = ?", session.key)
        return _session(rows[0]) if rows else None

    async def reserve_refresh(self, session: AppSession, *, seconds: int) -> bool:
        """Reserve the refresh of the session's tokens for this request, so that no other request does it as well.

        False when another request has reserved it, has replaced the tokens, or has closed the session. The reservation
        of a process that was killed ends after `seconds`.
        """
        now = self._clock()
        return bool(
            await self._execute(
                "UPDATE sessions SET refresh_until = ? WHERE key = ? AND tokens = ? AND refresh_until <= ? RETURNING 1",
                *(now + seconds, session.key, _text(session.tokens), now),
            )
        )

    async def finish_refresh(self, session: AppSession, tokens: Tokens) -> bool:
        """Replace the tokens of the session and end the reservation.

        False when they are no longer those of `session`: then another request has replaced them, or has closed it.
        """
        return bool(
            await self._execute(
                "UPDATE sessions SET tokens = ?, refresh_until = 0 WHERE key = ? AND tokens = ? RETURNING 1",
                *(_text(tokens), session.key, _text(session.tokens)),
            )
        )

    async def close(self, cookie: str) -> None:
        await self._execute("DELETE FROM sessions WHERE key = ?", _hash(cookie))

    async def end_login(self, *, sid: str | None, sub: str | None, jti: str, forget_at: int) -> int | None:
        """Close the sessions of the login `sid`, or when that is None, of the user `sub`; return their number.

        None when a logout token with this `jti` was accepted before. It is remembered until `forget_at`, in the same
        transaction: when this fails, the issuer may send the token again.
        """

        def delete(connection: sqlite3.Connection) -> int | None:
            connection.execute("DELETE FROM logout_tokens WHERE forget_at <= ?", (self._clock(),))
            insert = "INSERT INTO logout_tokens (jti, forget_at) VALUES (?, ?) ON CONFLICT DO NOTHING"
            if connection.execute(insert, (jti, forget_at)).rowcount == 0:
                return None
            connection.execute(
                "DELETE FROM logout_tokens WHERE number IN "
                "(SELECT number FROM logout_tokens ORDER BY forget_at DESC, number DESC LIMIT -1 OFFSET ?)",
                (self.max_logout_tokens,),
            )
            if sid is not None:
                return connection.execute("DELETE FROM sessions WHERE sid = ?", (sid,)).rowcount
            return connection.execute("DELETE FROM sessions WHERE sub = ?", (sub,)).rowcount

        return await self._run(delete)

    def _idle_since(self) -> int:
        return self._clock() - IDLE_TIMEOUT

    async def _execute(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return await self._run(lambda connection: connection.execute(statement, values).fetchall())

    async def _run(self, unit: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            return await asyncio.to_thread(self._in_transaction, unit)
        except sqlite3.Error as error:
            log.warning("the session store cannot be used: %r", error)
            raise ServiceUnavailable("This app") from error

    def _in_transaction(self, unit: Callable[[sqlite3.Connection], Result]) -> Result:
        with closing(self._connect()) as connection, connection:  # commits, or rolls back after an exception
            connection.execute("BEGIN IMMEDIATE")
            return unit(connection)

    def _connect(self) -> sqlite3.Connection:
        """A connection for each transaction: it takes 0.1 ms, and nothing is shared by threads or after a fork."""
        connection = sqlite3.connect(self._file, timeout=5, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


def _session(row: sqlite3.Row) -> AppSession:
    user, tokens = User(**json.loads(row["user"])), Tokens(**json.loads(row["tokens"]))
    return AppSession(user, tokens, sid=row["sid"], csrf_token=row["csrf_token"], key=row["key"])


def _text(tokens: Tokens) -> str:
    return json.dumps(asdict(tokens))


def _hash(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
