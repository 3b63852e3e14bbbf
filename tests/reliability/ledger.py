"""What the service has acknowledged, and the comparison with what it then knows."""

from collections.abc import Awaitable
from dataclasses import dataclass, field

from sqlalchemy import select

from auth_service.store.schema.tables import authorization_codes, token_families
from tallystick_service.store.store import engine_for
from tests.reliability.outcome import Findings
from tests.reliability.person import Person, Refused
from tests.reliability.site import Site


@dataclass(frozen=True)
class Redeemed:
    """A code that gave tokens. One whose answer was lost gave nothing that anybody has."""

    person: Person
    code: str
    access_token: str | None = None
    refresh_token: str | None = None


@dataclass
class Rotating:
    """The refresh tokens of one family as they were acknowledged, the newest last."""

    person: Person
    refresh_tokens: list[str]


@dataclass
class Ledger:
    """Entries since the last comparison."""

    users: list[str] = field(default_factory=list)
    redeemed: list[Redeemed] = field(default_factory=list)
    unknown: list[Redeemed] = field(default_factory=list)
    rotating: list[Rotating] = field(default_factory=list)
    revoked: list[tuple[Person, str, str]] = field(default_factory=list)  # with the access and the refresh token
    consents: list[Person] = field(default_factory=list)

    def settle(self) -> None:
        """What was compared is closed; the families that rotate go on."""
        for entries in (self.users, self.redeemed, self.unknown, self.revoked, self.consents):
            entries.clear()


async def compare(ledger: Ledger, site: Site, findings: Findings) -> None:
    """Ask the service about every entry. Raises Unanswered and Refused when it does not answer as in peace."""
    for rotating in ledger.rotating:
        await _compare_rotating(rotating, findings)
    for person, access_token, refresh_token in ledger.revoked:
        active = await person.is_active(access_token)
        findings.promise("what was revoked is inactive", not active, person.email)
        findings.promise("and refreshes no more", await _refused(person.refresh(refresh_token)))
    for redeemed in ledger.redeemed:
        await _compare_redeemed(redeemed, findings)
    for unknown in ledger.unknown:
        first, second = [await _refused(unknown.person.redeem(unknown.code)) for _ in range(2)]
        findings.promise("a code whose answer was lost gives tokens once more or never", second, f"{first}, {second}")
    for person in ledger.consents:
        answer = await person.authorize()
        findings.promise("a consent is not asked for again", answer.status == 303, answer)
    for email in ledger.users:
        answer = await site.person(email).sign_in()
        findings.promise("a user added by command signs in", answer.status == 303, answer)


async def _compare_rotating(rotating: Rotating, findings: Findings) -> None:
    """The last acknowledged token works, whether or not a later rotation took effect; then its predecessor is spent,
    and using it ends the family, so another one is begun."""
    *before, last = rotating.refresh_tokens[-2:]
    try:
        successor = (await rotating.person.refresh(last))["refresh_token"]
    except Refused as refused:
        findings.promise("the last acknowledged refresh token works", False, refused)
        successor = None
    else:
        findings.promise("the last acknowledged refresh token works", True)
    if before and successor is not None:
        findings.promise("the one before it works no more", await _refused(rotating.person.refresh(before[0])))
        findings.promise("and its use ends the family", await _refused(rotating.person.refresh(successor)))
    rotating.refresh_tokens[:] = [(await rotating.person.tokens())["refresh_token"]]


async def _compare_redeemed(redeemed: Redeemed, findings: Findings) -> None:
    person, access_token, refresh_token = redeemed.person, redeemed.access_token, redeemed.refresh_token
    assert access_token is not None
    assert refresh_token is not None
    findings.promise("what a redeemed code gave is active", await person.is_active(access_token), person.email)
    findings.promise("a redeemed code is refused", await _refused(person.redeem(redeemed.code)))
    findings.promise("and its replay ends what it gave", not await person.is_active(access_token), person.email)


async def _refused(attempt: Awaitable[object]) -> bool:
    """Whether it was answered with invalid_grant. Another refusal is not an answer to the question."""
    try:
        await attempt
    except Refused as refused:
        if refused.answer.status != 400 or b"invalid_grant" not in refused.answer.body:
            raise
        return True
    return False


def compare_store(site: Site, findings: Findings) -> None:
    """In the tables themselves: each family of a user has one code, and each code that was redeemed has one family."""
    engine = engine_for(site.database_url, patience=10)
    with engine.connect() as connection:
        families = connection.execute(select(token_families.c.family_id).where(token_families.c.sub.is_not(None)))
        codes = connection.execute(
            select(authorization_codes.c.family_id).where(authorization_codes.c.redeemed_at.is_not(None))
        )
        begun, named = sorted(bytes(id_) for (id_,) in families), sorted(bytes(id_) for (id_,) in codes)
        if engine.dialect.name == "sqlite":
            integrity = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
            findings.promise("the database is whole (PRAGMA integrity_check)", integrity == "ok", integrity)
    findings.promise("redeemed codes and token families pair off one to one", begun == named, f"{begun} {named}")
    engine.dispose()
