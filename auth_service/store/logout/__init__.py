"""The queue of logout tokens to deliver."""
