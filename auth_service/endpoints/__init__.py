"""One file per URL. Here HTTP begins and ends."""
