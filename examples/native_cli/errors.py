"""The errors that end the program. Their texts are for the user and contain no token."""


class ProgramError(Exception):
    pass


class SignedOut(ProgramError):
    """There are no tokens, or the issuer no longer accepts them."""

    def __init__(self) -> None:
        super().__init__("you are not signed in; the command `login` signs you in")
