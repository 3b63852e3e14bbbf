"""The configuration file compared with the store, applied to it, and checked for likely mistakes."""
