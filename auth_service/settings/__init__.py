"""Settings from the configuration file and the environment, and what the file declares."""
