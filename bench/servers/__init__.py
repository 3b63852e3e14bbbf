"""The servers that are measured beside ours, or with a probe in ours; each takes its port as an argument."""
