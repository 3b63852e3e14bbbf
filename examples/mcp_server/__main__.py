"""`python -m examples.mcp_server`: serve the tools on loopback."""

import argparse

import uvicorn

from examples.mcp_server.server import create_app


def main() -> None:
    parser = argparse.ArgumentParser(description="An MCP server with two tools, each with a scope of its own.")
    parser.add_argument("--issuer", default="http://localhost:8000")
    parser.add_argument("--port", type=int, default=8014)
    arguments = parser.parse_args()
    app, _ = create_app(arguments.issuer, f"http://localhost:{arguments.port}/mcp")
    uvicorn.run(app, host="localhost", port=arguments.port)


if __name__ == "__main__":
    main()
