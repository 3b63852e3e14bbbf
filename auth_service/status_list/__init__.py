"""The Token Status List: the indexes, the signed token, and the task that publishes it."""
