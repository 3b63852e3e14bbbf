"""The cached clients and APIs of a process, and clients' logos."""
