"""Access tokens, ID Tokens and refresh tokens: their contents, how they are issued, and how they are identified."""
