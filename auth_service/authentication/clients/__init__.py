"""How clients authenticate, and what bounds their failures."""
