"""Text that is printed for an operator, whose terminal must not take parts of it as commands."""


def printable(text: str) -> str:
    """Return `text` as one line in which every character that a terminal does not simply print is written as an escape.

    Control characters (C0, C1), bidi overrides, other invisible characters and unassigned ones become \\x9b, \\u202e
    and so on. Names and addresses that unauthenticated callers chose reach operators only through this function.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )
