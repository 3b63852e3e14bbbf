"""The audit trail is bounded by limits for unauthenticated callers and by its retention."""

import json
from collections import Counter

import pytest
from sqlalchemy import Connection, func, select

from auth_service.store.audit import audit_limits, audit_trail
from auth_service.store.audit.audit_trail import Event
from auth_service.store.schema.tables import audit as audit_table
from auth_service.store.schema.tables import rate_limits
from tests.support.audit_trail import Trail, trail
from tests.support.auth_service import ADDRESS, AuthService, running_auth_service
from tests.support.clock import MovableClock
from tests.support.declared import WRONG_PASSWORD
from tests.support.registration import GOOD, new_client

pytestmark = pytest.mark.postgresql

__all__ = ["trail"]


def rows(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(audit_table)).scalar_one())


async def test_rows_for_wrong_passwords_are_limited(auth: AuthService, trail: Trail) -> None:
    browser = auth.browser()
    page = await browser.open("/login")
    for _ in range(20):
        await browser.sign_in(page, password=WRONG_PASSWORD)
    assert Counter(await trail.events()) == {"login_failed": 10, "login_slowed": 1}
    auth.clock.advance(seconds=600)
    for _ in range(20):
        await browser.sign_in(page, password=WRONG_PASSWORD)
    assert (await trail.events()).count("login_slowed") == 1


async def test_rows_for_many_user_names_from_one_address_are_limited_and_noted(auth: AuthService, trail: Trail) -> None:
    browser = auth.browser()
    page = await browser.open("/login")
    for number in range(330):
        await browser.sign_in(page, username=f"unknown-{number}@example.com", password=WRONG_PASSWORD)
    entries = await trail.new()
    assert Counter(entry.event for entry in entries) == {"login_failed": 100, "login_slowed": 200, "left_out": 1}
    (left_out,) = (entry for entry in entries if entry.event == "left_out")
    assert (left_out.detail["event"], left_out.address) == ("login_slowed", ADDRESS)


async def test_the_limit_of_one_kind_does_not_suppress_another(auth: AuthService, trail: Trail) -> None:
    for _ in range(230):
        refused = await auth.http().post("/register", json=GOOD, headers={"Authorization": "Bearer anything"})
        assert refused.status_code in (401, 429)
    assert Counter(await trail.events()) == {"registration_refused": 20, "left_out": 1}
    browser = auth.browser()
    page = await browser.open("/login")
    for _ in range(11):
        await browser.sign_in(page, password=WRONG_PASSWORD)
    assert Counter(await trail.events()) == {"login_failed": 10, "login_slowed": 1}


async def test_rows_for_many_addresses_are_limited(auth: AuthService, trail: Trail) -> None:
    await auth.store.write(_fill_the_bucket_of_all, "login_failed", now_ms=auth.clock() * 1000)
    for number in range(5):
        await auth.browser(address=f"198.51.100.{number}").sign_in(password=WRONG_PASSWORD)
    left_out = await trail.new()
    assert [(entry.event, entry.detail["event"]) for entry in left_out] == [("left_out", "login_failed")]
    assert (await auth.browser().sign_in()).status_code == 200
    assert await trail.events() == ["login"]


async def test_the_limit_over_all_addresses_of_one_kind_does_not_suppress_another(
    auth: AuthService, trail: Trail
) -> None:
    await auth.store.write(_fill_the_bucket_of_all, "registration_refused", now_ms=auth.clock() * 1000)
    await auth.browser().sign_in(password=WRONG_PASSWORD)
    assert await trail.events() == ["login_failed"]


def _fill_the_bucket_of_all(connection: Connection, event: Event, *, now_ms: int) -> None:
    of_all = audit_limits._of_kind(event, audit_limits._ALL)
    full_until = now_ms + of_all.burst * of_all.interval_ms
    connection.execute(rate_limits.insert().values(bucket=of_all.key, full_until=full_until))


async def test_changes_of_one_client_are_recorded_twenty_times(auth_database_url: str, clock: MovableClock) -> None:
    async with running_auth_service(auth_database_url, clock, registration={"mode": "open"}) as op:
        information = await new_client(op)
        trail = Trail(op.store)
        await trail.new()
        own = {"Authorization": f"Bearer {information['registration_access_token']}"}
        for number in range(25):
            changed = GOOD | {"client_id": information["client_id"], "client_name": f"Name {number}"}
            await op.http().put(information["registration_client_uri"], json=changed, headers=own)
        assert Counter(await trail.events()) == {"client_changed": 20, "left_out": 1}


async def test_rows_are_pruned_after_the_retention(auth_database_url: str, clock: MovableClock) -> None:
    async with running_auth_service(auth_database_url, clock, audit={"retention": 3600}) as auth:
        before = await auth.store.read(rows)
        clock.advance(seconds=3600)
        for _ in range(before):
            await auth.browser().sign_in()
        assert await auth.store.read(rows) == before
        assert set(await Trail(auth.store).events()) == {"login"}
        clock.advance(seconds=3601)
        for _ in range(before // 3):
            await auth.browser().sign_in()
        assert await auth.store.read(rows) < before


async def test_with_a_retention_of_zero_no_row_is_kept(auth_database_url: str, clock: MovableClock) -> None:
    async with running_auth_service(auth_database_url, clock, audit={"retention": 0}) as auth:
        before = await auth.store.read(rows)
        await auth.browser().sign_in()
        assert await auth.store.read(rows) == before - 4


async def test_values_are_truncated(auth: AuthService, trail: Trail) -> None:
    def tell(connection: Connection) -> None:
        long = "x" * 10_000
        audit_trail.record(
            connection, "left_out", now=auth.clock(), address=long, detail={"a": long, "b": [long] * 1000}
        )

    await auth.store.write(tell)
    (entry,) = await trail.new()
    assert len(json.dumps(vars(entry))) < 12_000
