"""Names of self-registered clients: RFC 8266, with stricter rules where a name could deceive a user."""

import unicodedata
from collections.abc import Iterable

MAX_LENGTH = 60
MAX_MARKS = 3
"""Combining marks on one letter. Hebrew and the Indic scripts need three. More of them would cover other lines."""

_PUNCTUATION = frozenset("!#&'()+,-./:;?@[]_|·‐–—‘’“”・「」『』、。")
_INVISIBLE = frozenset(
    chr(code)
    for first, last in (
        *((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164)),
        *((0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF)),
    )
    for code in range(first, last + 1)
)
"""Letters and marks with the property Default_Ignorable_Code_Point (Unicode 16). All other characters with this
property are in categories that are refused."""
_MIXABLE_SCRIPTS = frozenset({"LATIN", "GREEK", "CYRILLIC"})
"""Scripts with letters that look alike."""
_GREEK_CAPITALS = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX")
_LOOKALIKES = str.maketrans(
    "авеікмнорстухјѕһԁԛԝ" + "αβγεηικνορτυχ" + "ı015|!",
    "abeikmhopctyxjshdqw" + "abyenikvoptux" + "iolsll",
)


def check_client_name(name: str) -> str:
    """Return `name` with its characters composed and its spaces collapsed (RFC 8266 §2.1).

    Allowed are letters, digits, spaces and simple punctuation, at most MAX_LENGTH characters. Raises ValueError with a
    reason that does not quote `name`. The caller has bounded the length of `name`.
    """
    name = unicodedata.normalize("NFKC", name)
    name = "".join(" " if unicodedata.category(character) == "Zs" else character for character in name)
    name = " ".join(word for word in name.split(" ") if word)
    if len(name) > MAX_LENGTH:
        raise ValueError(f"has more than {MAX_LENGTH} characters")
    if not all(_is_allowed(character) for character in name):
        raise ValueError("may have letters, digits, spaces and simple punctuation only")
    if not any(character.isalnum() for character in name):
        raise ValueError("needs a letter or a digit")
    _check_marks(name)
    for word in name.split(" "):
        scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()}
        if len(scripts & _MIXABLE_SCRIPTS) > 1:
            raise ValueError("mixes Latin, Greek and Cyrillic letters in one word")
    return name


def looks_like_one_of(name: str, others: Iterable[str]) -> bool:
    """Whether `name` differs from one of `others` only by case, accents, spaces or lookalike letters."""
    own = _skeleton(name)
    return any(_skeleton(other) == own for other in others)


def _is_allowed(character: str) -> bool:
    if character == " " or character in _PUNCTUATION:
        return True
    return unicodedata.category(character) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd") and (
        character not in _INVISIBLE
    )


def _check_marks(name: str) -> None:
    in_a_row = MAX_MARKS  # so that a mark cannot come first
    before = ""
    for character in name:
        if unicodedata.category(character) in ("Mn", "Mc"):
            in_a_row += 1
            if in_a_row > MAX_MARKS or character == before:
                raise ValueError("has combining marks without a letter, or too many on one letter")
        else:
            in_a_row = 0 if character.isalnum() else MAX_MARKS
        before = character


def _skeleton(name: str) -> str:
    latin = unicodedata.normalize("NFKC", name).translate(_GREEK_CAPITALS)
    folded = unicodedata.normalize("NFKD", latin.casefold()).translate(_LOOKALIKES)
    return "".join(character for character in folded if character.isalnum()).replace("i", "l")
