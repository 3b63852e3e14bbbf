"""The media type of an image by its content: a Content-Type may be wrong, and SVG can contain scripts.

This reads the header of the image only. That is enough to know its format and its size in pixels.
"""

MAX_PIXELS = 2048
"""In width and in height. A few kilobytes can decompress to gigabytes in a user's browser."""

_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
_JPEG = b"\xff\xd8"
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # ITU T.81 table B.1: the markers SOF
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a segment


def media_type_of(content: bytes) -> str | None:
    """`image/png` or `image/jpeg`; None for other formats, and for an image with zero or too many pixels."""
    if content.startswith(_PNG):
        return "image/png" if _are_in_bounds(content[16:20], content[20:24]) else None
    if content.startswith(_JPEG):
        return "image/jpeg" if _are_in_bounds(*_jpeg_size(content)) else None
    return None


def _are_in_bounds(*lengths: bytes) -> bool:
    return all(0 < int.from_bytes(length) <= MAX_PIXELS for length in lengths)


def _jpeg_size(content: bytes) -> tuple[bytes, bytes]:
    """Height and width from the frame header (ITU T.81 §B.2.2), which follows segments that begin with their length."""
    at = len(_JPEG)
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            at += 2
        elif marker in _JPEG_FRAMES:
            return content[at + 5 : at + 7], content[at + 7 : at + 9]
        else:
            at += 2 + max(2, int.from_bytes(content[at + 2 : at + 4]))
    return b"", b""
