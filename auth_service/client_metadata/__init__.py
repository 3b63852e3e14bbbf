"""Client metadata (RFC 7591 §2): the fields, their rules, and the URIs and keys among them."""
