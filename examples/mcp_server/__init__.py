"""An MCP server with two tools, each with a scope of its own."""
