"""The audit trail: written, limited, and read."""
