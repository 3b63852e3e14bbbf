"""Small images, built from bytes."""

import struct
import zlib


def png(width: int = 1, height: int = 1) -> bytes:
    """A black picture. For a large size, only the header has that size."""
    rows = zlib.compress(b"\0" * (1 + min(width, 64)) * min(height, 64))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def jpeg(width: int = 1, height: int = 1, marker: int = 0xC0) -> bytes:
    """The beginning of a JPEG, up to its frame header."""
    jfif = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0\1\1\0\0\1\0\1\0\0"
    frame = b"\xff" + bytes([marker]) + struct.pack(">HBHHBBBB", 11, 8, height, width, 1, 1, 17, 0)
    return b"\xff\xd8" + jfif + b"\xff" + frame + b"\xff\xd9"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
