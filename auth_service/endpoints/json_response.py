"""JSON answers that must not be stored anywhere, because tokens are in them (RFC 6749 §5.1)."""

import json
from collections.abc import Mapping

from starlette.responses import Response


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type="application/json",
    )
