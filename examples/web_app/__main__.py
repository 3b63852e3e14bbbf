"""`python -m examples.web_app --help`"""

import sys

import uvicorn
from pydantic import ValidationError
from pydantic_settings import CliApp

from examples.web_app.app import create_app
from examples.web_app.settings import Settings


def main() -> int:
    try:
        settings = CliApp.run(Settings)
    except ValidationError as mistakes:
        mistake = mistakes.errors()[0]
        where = ".".join(map(str, mistake["loc"])) or "settings"
        print(f"web_app: {where}: {mistake['msg']}", file=sys.stderr)
        return 2
    uvicorn.run(create_app(settings), port=settings.port, proxy_headers=False, server_header=False, access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
