"""Whether an access token was revoked, as far as that is known here and now: a look-up, and no call to anyone."""

from dataclasses import dataclass

from tallystick.clock import LEEWAY, Clock
from tallystick.errors import InvalidToken, TemporarilyUnavailable
from tallystick.remote.followed_list import FollowedList
from tallystick.remote.status_lists import StatusLists
from tallystick.status_list import StatusList, StatusReference


@dataclass(frozen=True)
class StatusPolicy:
    """What becomes of a token whose status cannot be known, because the list is away or too old.

    `max_age` None: it is good until its `exp`, as the issuer once said (serve_until_exp). A number: it is not served
    once the list was signed more than so many seconds ago (fail_closed). A token that is known as revoked is refused
    by both, however old the list.
    """

    max_age: int | None = None

    def __post_init__(self) -> None:
        if self.max_age is not None and self.max_age < 1:
            raise ValueError("status_max_age is a number of seconds, at least 1")


class StatusCheck:
    """The statuses of one issuer's access tokens, under one policy. `refused` counts the tokens found revoked."""

    def __init__(self, lists: StatusLists, policy: StatusPolicy, *, clock: Clock) -> None:
        self.refused = 0
        self._lists = lists
        self._max_age = policy.max_age
        self._clock = clock

    @property
    def is_failing_closed(self) -> bool:
        """Whether tokens are turned away now, because their status cannot be known."""
        if self._max_age is None:
            return False
        now, lists = self._clock(), list(self._lists)
        if not lists:
            return self._lists.discovering.succeeded_at is None  # there may be lists, and we have none
        return any(
            followed.held is None or not self._is_young(followed.held, now)
            for followed in lists
            if not followed.is_gone
        )

    def is_known_good(self, followed: FollowedList, idx: int, now: int) -> bool:
        """Whether `require` has nothing to find out and nothing to object to. Asked at every request."""
        held = followed.held
        if held is None:
            return False
        try:
            if held.status(idx):
                return False
        except IndexError:
            return False
        return self._max_age is None or self._is_young(held, now)

    async def require(self, reference: StatusReference, *, issued_at: int) -> FollowedList | None:
        """Let a verified token with this `iat` pass, by the list that is returned for the next time, if there is one.

        Raises InvalidToken when the list says that the token was revoked, has no such place (Token Status List §8.3)
        or is no list of the issuer's; TemporarilyUnavailable when its status cannot be known, and the policy wants
        that it is.
        """
        followed = await self._lists.find(reference.uri)
        if followed is not None:
            await followed.seek(reference.idx)
            if self._is_known(followed, reference.idx, issued_at):
                return followed
        if self._max_age is not None:
            raise TemporarilyUnavailable("whether the token was revoked cannot be known for now")
        return followed

    def _is_known(self, followed: FollowedList, idx: int, issued_at: int) -> bool:
        """Whether the token is known as good. Raises InvalidToken when it is known as bad."""
        held = followed.held
        if held is None:
            return False
        is_young = self._is_young(held, self._clock())
        if not held.has(idx):
            # Lists grow before their new places are given out, so a list that is up to date has every place there is.
            if followed.fetching.is_failing or not is_young:
                return False
            raise InvalidToken(reason="status_unknown") from ValueError("its list has no such place")
        if held.status(idx):
            if held.exp is not None and issued_at > held.exp + LEEWAY:
                return False  # of a family that was given the place since
            self.refused += 1
            raise InvalidToken(reason="revoked") from ValueError("revoked")
        return is_young

    def _is_young(self, held: StatusList, now: int) -> bool:
        return self._max_age is None or (now - held.iat <= self._max_age and not held.is_expired(now))
