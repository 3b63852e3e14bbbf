"""Each endpoint is marked by what its callers are: a person's browser, or a program."""

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from auth_service.http.route_traits import PAGE, POPUP
from auth_service.main import create_app
from auth_service.middleware.cors import CrossOriginRules
from tests.support.declared import declared_settings

NOT_PAGES = {"/logo", "/static/tallystick.css"}
"""Files that pages load."""


def app() -> FastAPI:
    return create_app(declared_settings("sqlite:///unused"))


def test_every_endpoint_for_people_answers_errors_with_a_page() -> None:
    routes = list(iter_route_contexts(app().routes))
    for_people = {
        route.path
        for route in routes
        if getattr(route.endpoint, "__module__", "").startswith("auth_service.endpoints.pages")
    }
    assert "/login" in for_people
    marked = {route.path for route in PAGE.routes(app().routes)}
    assert marked == for_people - NOT_PAGES | {"/authorize"}


def test_every_page_but_the_home_page_may_be_shown_in_a_popup() -> None:
    assert {route.path for route in POPUP.routes(app().routes)} == {
        route.path for route in PAGE.routes(app().routes)
    } - {"/"}


def test_no_page_may_be_called_by_scripts_of_other_origins() -> None:
    rules = CrossOriginRules(app().routes, offers_registration=True)
    assert [route.path for route in PAGE.routes(app().routes) if rules.find(str(route.path))] == []


def test_the_rules_for_other_origins_follow_from_the_routes() -> None:
    rules = CrossOriginRules(app().routes, offers_registration=True)
    found = {
        path: (rule.methods, rule.clients_only)
        for path in (
            "/jwks",
            "/userinfo",
            "/token",
            "/revoke",
            "/introspect",
            "/register",
            "/register/app",
            "/register/a/b",
        )
        if (rule := rules.find(path)) is not None
    }
    assert found == {
        "/jwks": (("GET",), False),
        "/userinfo": (("GET", "POST"), False),
        "/token": (("POST",), True),
        "/revoke": (("POST",), True),
        "/register": (("POST",), False),
        "/register/app": (("GET", "PUT", "DELETE"), False),
    }
    without_registration = CrossOriginRules(app().routes, offers_registration=False)
    assert without_registration.find("/register") is None
    assert without_registration.find("/register/app") is None
