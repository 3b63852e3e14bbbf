"""Names of self-registered clients (RFC 8266, with stricter rules)."""

import pytest

from auth_service.client_metadata.names import MAX_LENGTH, check_client_name, looks_like_one_of


@pytest.mark.parametrize(
    "name",
    [
        *(
            "A new app",
            "Claude Code (notes-server)",
            "@modelcontextprotocol/inspector",
            "C++ & friends",
            "AT&T [beta] #1",
        ),
        *(
            "Müller’s Kalender",
            "Яндекс Почта",
            "Ελληνικά",
            "アプリ・ノート",
            "한국어 앱",
            "हिन्दी ऐप",
            "עִבְרִית",
            "تطبيق",
            "ไทยที่",
        ),
        *("Яндекс Mail", "x" * MAX_LENGTH),
    ],
)
def test_a_name_of_letters_digits_and_simple_punctuation_is_kept(name: str) -> None:
    assert check_client_name(name) == name


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("  two   words ", "two words"),
        ("no\u00a0break\u3000space", "no break space"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "Full width"),
        ("\U0001d406oogle", "Google"),
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),
    ],
)
def test_a_name_is_normalized_and_its_spaces_collapsed(name: str, kept: str) -> None:
    assert check_client_name(name) == kept
    assert check_client_name(kept) == kept


@pytest.mark.parametrize(
    "name",
    [
        "\u3164",  # HANGUL FILLER
        "a\u3164b",
        "a\uffa0b",
        "a\u115fb",
        "a\u1160b",
        "a\u2800b",  # BRAILLE PATTERN BLANK
        "a\u034fb",
        "a\u17b4b",
        "a\u180bb",
        "a\ufe0fb",
        "a\U000e0100b",
        "a\u200bb",
        "a\u200db",
        "a\u2060b",
        "a\ufeffb",
        "a\u00adb",
        "\u202eevil",
        "a\u2066b",
        "a\u200fb",
        "a\U000e0041b",  # TAG LATIN CAPITAL LETTER A
        "a\x9bb",  # CSI
        "a\x85b",
        "a\x00b",
        "a\nb",
        "a\tb",
        "a\u2028b",
        "a\ue000b",  # private use
        "a\u0378b",  # unassigned
        "Bank ✓",
        "Bank 🔒",
        "<b>app</b>",
        'the "app"',
        "a\\b",
        "...",
        "",
        "   ",
        "a" + "\u0301" * 199,
        "x" + "\u0316\u0317\u0318\u0319",
        "x" + "\u0323\u0323",
        "\u0301a",
        "a \u0301b",
        "-\u0301",
        "Pаypal",  # a Cyrillic letter among Latin ones
        "Gοοgle",  # Greek ones
        "x" * (MAX_LENGTH + 1),
        "\ufdfa" * 5,  # one character that is 18 when composed
        "Sign in again to keep your account. This request comes from your administrator and is safe to allow.",
    ],
)
def test_a_name_that_could_deceive_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_client_name(name)


@pytest.mark.parametrize(
    "name",
    ["Notes", "notes", "N O T E S", "Nótes", "Ｎotes", "N0tes", "Notes.", "[Notes]", "Νоtеs", "Nοtes"],
)
def test_a_name_that_looks_like_that_of_another_client_is_found(name: str) -> None:
    assert looks_like_one_of(name, ["The Calendar", "Notes"])


@pytest.mark.parametrize(
    ("name", "others"), [("Notes 2", ["Notes"]), ("Notes", []), ("ノート", ["カレンダー"]), ("Not", ["Notes"])]
)
def test_a_distinct_name_is_not_taken_for_another(name: str, others: list[str]) -> None:
    assert not looks_like_one_of(name, others)


def test_one_and_l_and_i_look_alike() -> None:
    assert looks_like_one_of("BiIIing", ["Billing"])
    assert looks_like_one_of("8i11ing", ["8illing"])
