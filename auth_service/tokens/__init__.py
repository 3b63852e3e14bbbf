"""What we issue, and the keys it is signed with."""
