"""Small images, made byte by byte."""

import struct
import zlib


def png(width: int = 1, height: int = 1) -> bytes:
    """A black picture; a header that lies about its size where it is large."""
    rows = zlib.compress(b"\0" * (1 + min(width, 64)) * min(height, 64))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def jpeg(width: int = 1, height: int = 1, marker: int = 0xC0) -> bytes:
    """The beginning of one, as far as its frame header."""
    jfif = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0\1\1\0\0\1\0\1\0\0"
    frame = b"\xff" + bytes([marker]) + struct.pack(">HBHHBBBB", 11, 8, height, width, 1, 1, 17, 0)
    return b"\xff\xd8" + jfif + b"\xff" + frame + b"\xff\xd9"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
