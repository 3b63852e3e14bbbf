"""Marks on endpoints that decide how error handlers and middleware treat their requests."""

from tallystick_service.asgi.route_trait import RouteTrait

PAGE = RouteTrait("page")
"""People see the responses in a browser: errors are HTML pages, not JSON."""

POPUP = RouteTrait("popup")
"""A page of a sign-in or sign-out, which an app may show in a popup that it waits for."""

ANY_ORIGIN = RouteTrait("any_origin")
"""Scripts of every origin may call this endpoint (CORS)."""

CLIENT_ORIGINS = RouteTrait("client_origins")
"""Scripts may call this endpoint (CORS) if a public client has a redirect URI at their origin."""

REGISTRATION = RouteTrait("registration")
"""Scripts of every origin may call this endpoint (CORS) while registration is offered."""
