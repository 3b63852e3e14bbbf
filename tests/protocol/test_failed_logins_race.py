"""Concurrent failed logins from several addresses: each is counted and audited, and no two deadlock."""

import asyncio

import httpx
import pytest

from tests.support.audit_trail import Trail
from tests.support.auth_service import AuthService
from tests.support.declared import EMAIL

pytestmark = pytest.mark.postgresql


async def test_concurrent_failed_logins_are_all_refused_and_audited(auth: AuthService) -> None:
    async def fail(number: int) -> httpx.Response:
        browser = auth.browser(f"198.51.100.{number % 7}")
        page = await browser.open("/login")
        username = EMAIL if number % 2 else f"nobody-{number % 5}@example.com"
        return await browser.sign_in(page, username=username, password="wrong")

    responses = await asyncio.gather(*map(fail, range(40)))
    assert {response.status_code for response in responses} <= {401, 429}
    refused = sum(response.status_code == 401 for response in responses)
    assert refused
    assert (await Trail(auth.store).events()).count("login_failed") == refused
