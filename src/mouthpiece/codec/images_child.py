"""The child of ``images``: a file on stdin, the bytes of an array (h, w, 3 or 4) on stdout, one JSON line on stderr.

It limits itself before it looks at the data: memory, CPU, no core, no new file or socket.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import warnings
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
NICENESS: Final = 5  # uploads give way to live sessions
DEEP: Final = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
"""Modes of grey pictures with more than 8 bits."""


class _Wrong(Exception):
    """The data cannot be taken; the text is for the caller."""


class _TooMany(Exception):
    """More pixels than are allowed."""


def _read(data: bytes, task: dict[str, Any]) -> tuple[NDArray[np.uint8], list[str]]:
    notes: list[str] = []
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
        _count(image, task["max_pixels"])
        if getattr(image, "is_animated", False):
            notes.append("the picture is animated: its first image is used")
        if image.format == "JPEG":
            image.draft(None, (task["longest"], task["longest"]))
        image.load()
    except UnidentifiedImageError:
        raise _Wrong("this is not a JPEG, PNG, WebP, GIF, BMP or TIFF picture") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
        raise _Wrong(f"the picture is damaged or cut off ({error}): save it again and retry") from None
    return _plain(image, task["longest"]), notes


def _count(image: Image.Image, limit: int) -> None:
    if image.width * image.height > limit:
        raise _TooMany(image.width * image.height)


def _plain(image: Image.Image, longest: int) -> NDArray[np.uint8]:
    """Upright, 8 bits, sRGB, with alpha only where it is used, at most ``longest`` pixels a side."""
    if image.mode in DEEP:
        image = _shallow(image)
    profile = image.info.get("icc_profile")
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    if not transparent and profile:
        image = _in_srgb(image, profile)
    image = image.convert("RGBA" if transparent else "RGB")
    if max(image.size) > longest:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=2.0)
    pixels = np.asarray(ImageOps.exif_transpose(image), np.uint8)
    if pixels.shape[2] == 4 and pixels[..., 3].min() == 255:
        pixels = pixels[..., :3]
    return np.ascontiguousarray(pixels)


def _shallow(image: Image.Image) -> Image.Image:
    """16 and 32 bits and floats to 8: by their own scale where it is known, else by what is there."""
    values = np.asarray(image, np.float64)
    top = 65535.0 if image.mode.startswith("I") and 255 < values.max() <= 65535 else max(1.0, float(values.max()))
    low = min(0.0, float(values.min()))
    plain = Image.fromarray(((values - low) * (255 / (top - low))).round().clip(0, 255).astype(np.uint8))
    plain.info = dict(image.info)
    plain.getexif().update(image.getexif())
    return plain


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours as their profile means them; a profile that is no use is left aside."""
    with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "L" if image.mode == "L" else "RGB"
        turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        if mode == "RGB" and turned is not None:
            return turned
    return image


def _warm_up() -> None:
    """Read and write a moment's picture of each kind, so that what loads on first use is loaded before files shut."""
    for form in FORMATS:
        out = io.BytesIO()
        Image.new("RGB", (16, 16), (90, 120, 200)).save(out, form)
        _read(out.getvalue(), {"max_pixels": 1000, "longest": 8})
    ImageCms.createProfile("sRGB")


def _confine(task: dict[str, Any]) -> None:
    os.nice(NICENESS)
    for what, limit in (
        (resource.RLIMIT_AS, task["memory"]),
        (resource.RLIMIT_CPU, task["cpu_s"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, task["longest"] ** 2 * 4 + 4096),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(what, (limit, limit))


def main() -> None:
    """Decode stdin as the task (JSON, first argument) says."""
    task = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    Image.MAX_IMAGE_PIXELS = None  # counted here, by the task's own limit
    _warm_up()
    _confine(task)
    answer: dict[str, object]
    try:
        pixels, notes = _read(sys.stdin.buffer.read(), task)
        sys.stdout.buffer.write(pixels.tobytes())
        sys.stdout.buffer.flush()
        answer = {"notes": notes, "shape": pixels.shape}
    except _TooMany as fault:
        answer = {"pixels": fault.args[0], "limit": task["max_pixels"]}
    except _Wrong as wrong:
        answer = {"invalid": str(wrong)}
    except MemoryError:
        answer = {"invalid": "reading the picture takes too much memory: make it smaller"}
    sys.stderr.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
