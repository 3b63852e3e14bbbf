"""Honest clients at work: what was acknowledged is written down, and what none of them should see is complained of."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

from tests.reliability.declared import GUESTS, PASSWORD, PEOPLE
from tests.reliability.ledger import Ledger, Redeemed, Rotating
from tests.reliability.outcome import Findings
from tests.reliability.person import Person, Refused
from tests.reliability.site import Site
from tests.reliability.wire import Unanswered

_PAUSE = 0.02
"""Seconds that a client waits before it tries again."""

ANSWERED_WELL = "honest clients see success, 503 with Retry-After, or a cut connection; nothing else"


class Load:
    """`rotators` families that rotate, and two actors each for codes, revocations and consents.

    `ports`: of the processes that are called, in turn. Who signs in does so before the load begins.
    """

    def __init__(self, site: Site, findings: Findings, *, rotators: int = 6, ports: list[int] | None = None) -> None:
        self.site = site
        self.ledger = Ledger()
        self.counts: Counter[str] = Counter()
        self._findings = findings
        self._ports = ports or [site.port]
        self._rotators = rotators
        self._people: list[Person] = []
        self._asking: list[list[Person]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def prepare(self) -> None:
        for number in range(self._rotators + 6):
            person = self.site.person(PEOPLE[number], port=self._ports[number % len(self._ports)])
            await person.sign_in()
            self._people.append(person)
        rotating, rest = self._people[: self._rotators], self._people[self._rotators :]
        self.ledger.rotating = [Rotating(person, [(await person.tokens())["refresh_token"]]) for person in rotating]
        self._people = rest
        self._asking = [[person.at(guest) for guest in GUESTS] for person in rest[4:]]

    def begin(self) -> None:
        redeeming, revoking, asking = self._people[:2], self._people[2:4], self._asking
        actors: list[Callable[[], Awaitable[None]]] = []
        actors += [partial(self._rotate, rotating) for rotating in self.ledger.rotating]
        actors += [partial(self._redeem, person) for person in redeeming]
        actors += [partial(self._revoke, person) for person in revoking]
        actors += [partial(self._consent, people) for people in asking]
        self._tasks = [asyncio.create_task(self._repeat(actor)) for actor in actors]

    async def end(self) -> None:
        """At once, as far as requests under way allow: what they may have done is in the ledger as unknown."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def add_user(self) -> None:
        """By the command, in a process of its own."""
        email = f"newcomer-{random.getrandbits(48)}@example.com"
        try:
            await self.site.command("user", "add", email, "--password-stdin", typed=PASSWORD)
        except RuntimeError:
            return  # the store was away
        self.ledger.users.append(email)
        self.counts["users added"] += 1

    async def _repeat(self, actor: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await actor()
            except Unanswered:
                self.counts["cut off"] += 1
                await asyncio.sleep(_PAUSE)
            except Refused as refused:
                self.counts["put off"] += 1
                if not refused.is_put_off:
                    self._findings.promise(ANSWERED_WELL, False, refused)
                await asyncio.sleep(_PAUSE)
            else:
                self._findings.promise(ANSWERED_WELL, True)

    async def _rotate(self, rotating: Rotating) -> None:
        tokens = rotating.refresh_tokens
        tokens.append((await rotating.person.refresh(tokens[-1]))["refresh_token"])
        del tokens[:-2]
        self.counts["rotations"] += 1

    async def _redeem(self, person: Person) -> None:
        code = await person.code()
        unknown = Redeemed(person, code)
        self.ledger.unknown.append(unknown)
        tokens = await person.redeem(code)
        self.ledger.unknown.remove(unknown)
        self.ledger.redeemed.append(Redeemed(person, code, tokens["access_token"], tokens["refresh_token"]))
        self.counts["codes redeemed"] += 1
        await asyncio.sleep(_PAUSE)

    async def _revoke(self, person: Person) -> None:
        tokens = await person.tokens()
        await person.revoke(tokens["refresh_token"])
        self.ledger.revoked.append((person, tokens["access_token"], tokens["refresh_token"]))
        self.counts["revocations"] += 1
        await asyncio.sleep(_PAUSE)

    async def _consent(self, at_guests: list[Person]) -> None:
        if not at_guests:
            await asyncio.sleep(1)
            return
        person = at_guests[-1]
        page = await person.authorize()
        if page.status == 200:
            page = await person.submit(page, decision="allow")
            if page.status == 303:
                self.ledger.consents.append(person)
                self.counts["consents"] += 1
        if page.status != 303:
            raise Refused(page)
        at_guests.pop()
        await asyncio.sleep(0.2)
