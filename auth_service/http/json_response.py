"""JSON responses that no cache may store, because tokens are in them (RFC 6749 §5.1)."""

import json
from collections.abc import Mapping

from starlette.responses import Response

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        _to_json(body).encode(),
        status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type="application/json",
    )
