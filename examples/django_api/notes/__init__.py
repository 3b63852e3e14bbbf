"""The app with the notes."""
