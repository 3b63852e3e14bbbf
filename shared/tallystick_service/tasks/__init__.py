"""Background tasks, and tasks that several callers share."""
