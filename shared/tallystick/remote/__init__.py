"""What a verifier keeps of its issuer: keys and status lists, fetched in the background."""
