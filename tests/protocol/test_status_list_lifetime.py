"""The time for which a bit stays set in the status list, and the time at which its index is free again."""

import pytest
from sqlalchemy import Connection, select, union

from auth_service.store.schema.tables import revoked_indexes, token_families
from auth_service.store.status_list import revoked_indexes as module
from auth_service.store.users import users
from tests.support.auth_service import AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import EMAIL
from tests.support.relying_party import RelyingParty
from tests.support.status_lists import access_token, fetch, look, next_list, reference_of
from tests.support.waiting import until_it_is

pytestmark = pytest.mark.postgresql


async def test_a_bit_is_cleared_when_its_tokens_have_expired_and_the_index_is_freed_later(
    auth: AuthService, rp: RelyingParty
) -> None:
    token = await access_token(rp)
    await rp.revoke(token)
    assert (await next_list(auth)).is_revoked(token)
    lifetimes = auth.settings.lifetimes
    auth.clock.advance(seconds=lifetimes.access_token + 60)
    assert (await next_list(auth)).is_revoked(token)  # verifiers' clocks may be behind
    auth.clock.advance(seconds=80)
    await look(auth)
    published = await fetch(auth)
    assert not published.is_revoked(token)
    assert reference_of(token)["idx"] in await _known_indexes(auth)  # a list with the bit may still be valid
    auth.clock.advance(seconds=lifetimes.status_list + 40)
    await look(auth)
    assert reference_of(token)["idx"] in await _known_indexes(auth)  # by a clock that is behind, too
    auth.clock.advance(seconds=20)
    await look(auth)
    assert reference_of(token)["idx"] not in await _known_indexes(auth)


async def _known_indexes(auth: AuthService) -> set[int]:
    def known(connection: Connection) -> set[int]:
        both = union(select(token_families.c.status_index), select(revoked_indexes.c.status_index))
        return {index for index in connection.execute(both).scalars() if index is not None}

    return await auth.store.read(known)


async def test_tokens_of_an_earlier_configuration_stay_revoked_until_they_expire(auth_database_url: str) -> None:
    clock = MovableClock()
    async with running_auth_service(auth_database_url, clock, lifetimes={"access_token": 3600}) as auth:
        rp = auth.relying_party("app-one")
        token = await access_token(rp)
        await rp.revoke(token)
        assert (await next_list(auth)).is_revoked(token)
    async with running_auth_service(auth_database_url, clock, lifetimes={"access_token": 60}) as auth:
        clock.advance(seconds=3600)
        assert (await next_list(auth)).is_revoked(token)
        clock.advance(seconds=200)
        await look(auth)
        assert not (await fetch(auth)).is_revoked(token)


async def test_an_expired_family_with_valid_tokens_of_an_earlier_configuration_is_listed(
    auth_database_url: str,
) -> None:
    """Its last rotation was with the new lifetimes, and a token with the old lifetime is still valid."""
    clock = MovableClock()
    long_lived = {"access_token": 86_400, "refresh_token": 7200, "refresh_token_family": 7200}
    async with running_auth_service(auth_database_url, clock, lifetimes=long_lived) as auth:
        tokens = await auth.relying_party("app-one").tokens(scope="openid notes:read offline_access")
    async with running_auth_service(auth_database_url, clock, lifetimes=long_lived | {"access_token": 300}) as auth:
        rp = auth.relying_party("app-one")
        clock.advance(seconds=7000)
        assert (await rp.refresh(tokens["refresh_token"])).status_code == 200
        clock.advance(seconds=3600)
        ada = await auth.store.read(users.find_sub, EMAIL)
        assert ada
        await auth.store.write(users.sign_out_user, ada, now=clock())
        assert (await next_list(auth)).is_revoked(tokens["access_token"])


async def test_a_mass_revocation_is_listed_whole_although_it_takes_several_units(
    auth: AuthService, rp: RelyingParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_CHANGED", 2)
    tokens = [await access_token(rp) for _ in range(5)]
    for token in tokens:
        await rp.revoke(token)
    listed = await next_list(auth)
    assert all(listed.is_revoked(token) for token in tokens)
    waiting = select(revoked_indexes).where(revoked_indexes.c.clear_at.is_(None))

    async def all_have_a_time() -> bool:
        return not await auth.store.read(lambda connection: connection.execute(waiting).all())

    await until_it_is(all_have_a_time)  # the background task may have published the list, and be recording this


async def test_a_process_with_an_expired_list_publishes_one_before_it_is_ready(auth: AuthService) -> None:
    auth.clock.advance(seconds=2 * auth.settings.lifetimes.status_list)
    assert (await auth.http().get("/readyz")).status_code == 200
    assert (await fetch(auth)).claims["iat"] == auth.clock()
