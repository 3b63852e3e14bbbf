"""The writes that the service acknowledged, and the checks that it still knows each of them."""

from collections.abc import Awaitable
from dataclasses import dataclass, field

from sqlalchemy import select

from auth_service.store.schema.tables import authorization_codes, token_families
from tallystick_service.store.store import engine_for
from tests.reliability.deployment import Deployment
from tests.reliability.report import Report
from tests.reliability.user_agent import UnexpectedResponse, UserAgent


@dataclass(frozen=True)
class RedeemedCode:
    """A code that was sent to /token. Without an access token its response was lost."""

    user_agent: UserAgent
    code: str
    access_token: str | None = None


@dataclass
class RotatedFamily:
    """The acknowledged refresh tokens of one family, the newest last."""

    user_agent: UserAgent
    refresh_tokens: list[str]


@dataclass
class History:
    """The acknowledged writes since the last check."""

    users: list[str] = field(default_factory=list)
    redeemed: list[RedeemedCode] = field(default_factory=list)
    unanswered: list[RedeemedCode] = field(default_factory=list)
    families: list[RotatedFamily] = field(default_factory=list)
    revoked: list[tuple[UserAgent, str, str]] = field(default_factory=list)  # with access token and refresh token
    consents: list[UserAgent] = field(default_factory=list)

    def clear(self) -> None:
        """Remove all checked entries except the rotated families, which continue."""
        for entries in (self.users, self.redeemed, self.unanswered, self.revoked, self.consents):
            entries.clear()


async def check_history(history: History, deployment: Deployment, report: Report) -> None:
    """Ask the service about each entry. Raises NoResponse and UnexpectedResponse when it does not answer normally."""
    for family in history.families:
        await _check_family(family, report)
    for user_agent, access_token, refresh_token in history.revoked:
        is_active = await user_agent.is_active(access_token)
        report.check("a revoked token is inactive", not is_active, user_agent.email)
        report.check("and its refresh token is refused", await _is_refused(user_agent.refresh(refresh_token)))
    for redeemed in history.redeemed:
        await _check_redeemed(redeemed, report)
    for unanswered in history.unanswered:
        first, second = [await _is_refused(unanswered.user_agent.redeem(unanswered.code)) for _ in range(2)]
        report.check("a code without a response gives tokens at most once more", second, f"{first}, {second}")
    for user_agent in history.consents:
        response = await user_agent.authorize()
        report.check("a stored consent is not asked for again", response.status == 303, response)
    for email in history.users:
        response = await deployment.user_agent(email).sign_in()
        report.check("a user added by command signs in", response.status == 303, response)


async def _check_family(family: RotatedFamily, report: Report) -> None:
    """The last acknowledged token works, whether or not a later rotation took effect. After that its predecessor is
    refused and revokes the family, so a new family is begun.
    """
    *before, last = family.refresh_tokens[-2:]
    try:
        successor = (await family.user_agent.refresh(last))["refresh_token"]
    except UnexpectedResponse as error:
        report.check("the last acknowledged refresh token works", False, error)
        successor = None
    else:
        report.check("the last acknowledged refresh token works", True)
    if before and successor is not None:
        report.check("the one before it is refused", await _is_refused(family.user_agent.refresh(before[0])))
        report.check("and its use revokes the family", await _is_refused(family.user_agent.refresh(successor)))
    family.refresh_tokens[:] = [(await family.user_agent.tokens())["refresh_token"]]


async def _check_redeemed(redeemed: RedeemedCode, report: Report) -> None:
    user_agent, access_token = redeemed.user_agent, redeemed.access_token
    assert access_token is not None
    report.check("the tokens of a redeemed code are active", await user_agent.is_active(access_token), user_agent.email)
    report.check("a redeemed code is refused", await _is_refused(user_agent.redeem(redeemed.code)))
    report.check("and its replay revokes its tokens", not await user_agent.is_active(access_token), user_agent.email)


async def _is_refused(attempt: Awaitable[object]) -> bool:
    """Whether it is answered with invalid_grant. Raises UnexpectedResponse for another error."""
    try:
        await attempt
    except UnexpectedResponse as error:
        if error.response.status != 400 or b"invalid_grant" not in error.response.body:
            raise
        return True
    return False


def check_store(deployment: Deployment, report: Report) -> None:
    """Compare the tables: each family of a user has one code, and each redeemed code has one family."""
    engine = engine_for(deployment.database_url, statement_timeout=10)
    with engine.connect() as connection:
        families = connection.execute(select(token_families.c.family_id).where(token_families.c.sub.is_not(None)))
        codes = connection.execute(
            select(authorization_codes.c.family_id).where(authorization_codes.c.redeemed_at.is_not(None))
        )
        of_families, of_codes = sorted(bytes(id_) for (id_,) in families), sorted(bytes(id_) for (id_,) in codes)
        if engine.dialect.name == "sqlite":
            integrity = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
            report.check("the database is intact (PRAGMA integrity_check)", integrity == "ok", integrity)
    matches = of_families == of_codes
    report.check("redeemed codes and token families match one to one", matches, f"{of_families} {of_codes}")
    engine.dispose()
