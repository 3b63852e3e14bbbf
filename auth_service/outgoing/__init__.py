"""Requests that we make, to addresses that clients gave us."""

from auth_service.outgoing.requests import OutgoingFailed, OutgoingRequests, OutgoingResponse

__all__ = ["OutgoingFailed", "OutgoingRequests", "OutgoingResponse"]
