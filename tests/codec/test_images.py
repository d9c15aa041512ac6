"""Pictures of strangers: every kind that cameras and people make, and everything that is no picture."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from mouthpiece.codec.images import Decoded, ImageDecoder, ImageLimits
from mouthpiece.errors import InvalidPortrait, NotAnImage, TooManyPixels


def scene(mode: str = "RGB", size: tuple[int, int] = (120, 80)) -> Image.Image:
    """Red at the top left, blue elsewhere."""
    image = Image.new("RGB", size, (20, 40, 220))
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 4, size[1] // 4), (230, 30, 20))
    return image.convert(mode)


def file_of(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


async def decoded(data: bytes, **limits: int) -> Decoded:
    return await ImageDecoder(ImageLimits(**limits)).decode(data)


def is_red(pixel: np.ndarray) -> bool:
    return bool(pixel[0] > 150 and pixel[1] < 110 and pixel[2] < 110)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
async def test_every_kind_is_read(form: str) -> None:
    picture = await decoded(file_of(scene(), form))
    assert picture.rgb.shape == (80, 120, 3)
    assert picture.alpha is None
    assert is_red(picture.rgb[5, 5])
    assert not is_red(picture.rgb[70, 100])


async def test_a_turned_camera_is_turned_back() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned by 90 degrees clockwise
    picture = await decoded(file_of(scene(), "JPEG", exif=exif))
    assert picture.rgb.shape == (120, 80, 3)
    assert is_red(picture.rgb[5, 74])


async def test_printers_colours() -> None:
    assert is_red((await decoded(file_of(scene("CMYK"), "JPEG"))).rgb[5, 5])
    assert is_red((await decoded(file_of(scene("CMYK"), "TIFF"))).rgb[5, 5])


async def test_a_colour_profile_is_applied_and_a_broken_one_left_aside() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert is_red((await decoded(file_of(scene(), "JPEG", icc_profile=profile))).rgb[5, 5])
    assert is_red((await decoded(file_of(scene(), "PNG", icc_profile=b"nonsense" * 40))).rgb[5, 5])


async def test_sixteen_bits() -> None:
    levels = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (32, 1))
    picture = await decoded(file_of(Image.fromarray(levels), "PNG"))
    assert picture.rgb[10, 0].max() < 5
    assert picture.rgb[10, 63].min() > 250
    assert abs(int(picture.rgb[10, 32, 0]) - 129) < 4


async def test_transparency_is_kept_apart_and_only_where_there_is_some() -> None:
    image = scene("RGBA")
    assert (await decoded(file_of(image, "PNG"))).alpha is None
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    alpha = (await decoded(file_of(image, "WEBP", lossless=True))).alpha
    assert alpha is not None
    assert alpha.shape == (80, 120)
    assert alpha[0].max() < 10
    assert alpha[-1].min() > 245


async def test_of_an_animation_the_first_picture() -> None:
    frames = [scene(), Image.new("RGB", (120, 80), (0, 200, 0))]
    for form in ("GIF", "PNG", "WEBP"):
        picture = await decoded(file_of(frames[0], form, save_all=True, append_images=frames[1:]))
        assert is_red(picture.rgb[5, 5])
        assert "animated" in picture.notes[0]


async def test_a_large_picture_is_made_smaller() -> None:
    picture = await decoded(file_of(scene(size=(3000, 1500)), "JPEG"), longest=1000)
    assert picture.rgb.shape == (500, 1000, 3)
    assert is_red(picture.rgb[20, 20])


@pytest.mark.parametrize(
    "data",
    [
        b"hello, I am a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7 ...",
        b"\x89PNG\r\n\x1a\nrubbish",
    ],
)
async def test_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(NotAnImage, match="not a JPEG"):
        await decoded(data)


async def test_an_empty_file() -> None:
    with pytest.raises(NotAnImage, match="empty"):
        await decoded(b"")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_a_file_that_is_cut_off(form: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (200, 200, 3)).astype(np.uint8))
    data = file_of(noise, form)
    with pytest.raises(NotAnImage, match=r"damaged or cut off|not a JPEG"):
        await decoded(data[: len(data) // 2])


def png_of(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def test_a_bomb_is_counted_before_it_goes_off() -> None:
    bomb = png_of(60_000, 60_000, zlib.compress(bytes(10_000_000), 9))
    assert len(bomb) < 20_000
    with pytest.raises(TooManyPixels, match="3600000000 pixels"):
        await decoded(bomb)


async def test_a_decoder_that_takes_too_much_is_ended() -> None:
    image = file_of(Image.new("RGB", (6000, 6000)), "PNG")
    with pytest.raises(InvalidPortrait, match=r"too much memory|cannot be read"):
        await decoded(image, memory=190 << 20)
