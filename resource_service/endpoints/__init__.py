"""One file per URL: here HTTP begins and ends."""
