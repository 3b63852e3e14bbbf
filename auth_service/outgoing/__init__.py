"""HTTP requests to URLs that clients registered."""

from auth_service.outgoing.requests import OutgoingFailed, OutgoingRequests, OutgoingResponse

__all__ = ["OutgoingFailed", "OutgoingRequests", "OutgoingResponse"]
