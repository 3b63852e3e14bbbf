"""One protected API in every framework, called without a server, to compare what the adapters answer."""
