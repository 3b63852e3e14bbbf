"""What kind of image some bytes are, by themselves: a header is a claim, and SVG is a program.

Only the beginning is understood: enough to know that a browser takes it for an image of bounded size, and nothing else.
"""

MOST_PIXELS = 2048
"""In either direction. A few kilobytes can unpack to gigabytes, in the browser of one who only wants to sign in."""

_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
_JPEG = b"\xff\xd8"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # ITU T.81 table B.1: the markers SOF
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # without a length and contents


def media_type_of(content: bytes) -> str | None:
    """`image/png` or `image/jpeg`; None for anything else, and for an image of no or of too many pixels."""
    if content.startswith(_PNG):
        return "image/png" if _is_reasonable(content[16:20], content[20:24]) else None
    if content.startswith(_JPEG):
        return "image/jpeg" if _is_reasonable(*_jpeg_size(content)) else None
    return None


def _is_reasonable(*lengths: bytes) -> bool:
    return all(0 < int.from_bytes(length) <= MOST_PIXELS for length in lengths)


def _jpeg_size(content: bytes) -> tuple[bytes, bytes]:
    """From the frame header (ITU T.81 §B.2.2), which follows segments that each tell their length."""
    at = len(_JPEG)
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_ALONE:
            at += 2
        elif marker in _JPEG_FRAMES:
            return content[at + 5 : at + 7], content[at + 7 : at + 9]
        else:
            at += 2 + max(2, int.from_bytes(content[at + 2 : at + 4]))
    return b"", b""
