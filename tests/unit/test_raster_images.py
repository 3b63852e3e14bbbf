"""The media type of an image is found by its content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service.clients.raster_images import media_type_of
from tests.support.images import jpeg, png


@pytest.mark.parametrize("size", [(1, 1), (64, 48), (2048, 2048)])
def test_png_and_jpeg_of_a_small_size_are_accepted(size: tuple[int, int]) -> None:
    assert media_type_of(png(*size)) == "image/png"
    for marker in (0xC0, 0xC1, 0xC2):
        assert media_type_of(jpeg(*size, marker=marker)) == "image/jpeg"


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (2049, 1), (1, 2049), (65_535, 65_535)])
def test_an_image_with_too_many_pixels_is_refused(size: tuple[int, int]) -> None:
    assert media_type_of(png(*size)) is None
    assert media_type_of(jpeg(*size)) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<?xml version='1.0'?><svg/>",
        b"<html>",
        b"GIF89a\x01\x00\x01\x00",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"BM",
        b"\x00\x00\x01\x00",
        b" " + png(),
        png()[:12],
        png()[:16],
        png()[:8] + b"<html>",
        jpeg()[:2],
        jpeg()[:20],
        b"\xff\xd8\xff",
        b"\xff\xd8" + b"\xff" * 1000,
        b"\xff\xd8<html>",
        b"\xff\xd8" + b"\xff\xe0\x00\x00" * 1000,
    ],
)
def test_other_content_is_refused(content: bytes) -> None:
    assert media_type_of(content) is None


@given(st.sampled_from([b"", png()[:16], b"\xff\xd8", jpeg()[:20]]), st.binary(max_size=200))
def test_arbitrary_bytes_raise_no_error(beginning: bytes, rest: bytes) -> None:
    assert media_type_of(beginning + rest) in (None, "image/png", "image/jpeg")
