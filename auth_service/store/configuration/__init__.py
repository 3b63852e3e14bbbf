"""The rows that the configuration file declares."""
