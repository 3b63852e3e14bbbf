"""Requests that we make, to addresses that clients gave us."""

from auth_service.outgoing.requests import Answer, Outgoing, OutgoingFailed

__all__ = ["Answer", "Outgoing", "OutgoingFailed"]
