"""Text for an operator's terminal, which must not interpret parts of it as commands."""


def printable(text: str) -> str:
    """Return `text` as one line. Every character that is not printable is written as an escape sequence.

    Control characters (C0, C1), bidi overrides, other invisible characters and unassigned ones become \\x9b, \\u202e
    and so on. Names and addresses that unauthenticated callers can choose are shown only through this function.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )
