"""How the services are put to work: the demo on one machine, and containers behind a TLS proxy."""
