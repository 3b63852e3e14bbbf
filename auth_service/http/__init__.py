"""HTTP tools that know no noun of this service: forms, cookies, signed state, JSON answers, OpenAPI."""
