"""Pictures of every awkward kind, as a person sees them; folders as values."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from lib_lora_cook.dataset.images import (
    content_hash,
    open_image,
    repeats_of_folder,
    scan_captions,
    scan_subset,
)
from lib_lora_cook.errors import UserError

from .tree import dirty_folder, picture, save, write


def test_a_folder_is_scanned_by_name_with_sizes_and_captions(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    save(folder / "small" / "x.png", picture())
    save(folder / ".lora_cook" / "trash" / "1" / "y.png", picture())
    save(folder / "E.PNG", picture((5, 7)))
    write(folder / ".hidden.png", "")
    images = scan_subset(folder)
    assert [image.path.name for image in images] == [
        "E.PNG", "a.png", "a.webp", "b.webp", "c.png", "d.jpg",
    ]  # fmt: skip
    assert (images[0].width, images[0].height, images[0].format) == (5, 7, "PNG")
    assert (images[3].caption, images[3].caption_path) == ("1girl, smile", folder / "b.txt")
    assert images[3].has_alpha and not images[1].has_alpha
    assert images[4].caption_path is None and images[4].caption == ""


def test_another_caption_extension_can_be_asked_for(tmp_path: Path) -> None:
    images = scan_subset(dirty_folder(tmp_path), caption_extension=".caption")
    assert [image.caption for image in images if image.caption] == ["a drawing"]


def test_captions_alone_are_scanned_without_opening_a_picture(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    write(folder / "e.png", "no picture")
    images = [(image.path, image.caption_path, image.caption) for image in scan_captions(folder)]
    (folder / "e.png").unlink()
    whole = [(image.path, image.caption_path, image.caption) for image in scan_subset(folder)]
    assert images == [*whole, (folder / "e.png", None, "")]


def test_unreadable_pictures_are_collected_or_raised_but_never_dropped(tmp_path: Path) -> None:
    folder = dirty_folder(tmp_path)
    write(folder / "bad.png", "this is no picture")
    write(folder / "empty.jpg", "")
    failed: list[tuple[Path, str]] = []
    assert len(scan_subset(folder, failed)) == 5
    assert [path.name for path, _ in failed] == ["bad.png", "empty.jpg"]
    assert all("Not a picture" in why for _, why in failed)
    with pytest.raises(UserError, match=r"Not a picture.*bad\.png"):
        scan_subset(folder)


def test_a_missing_folder_a_file_and_an_empty_folder_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot open this folder.*gone. Check its name"):
        scan_subset(tmp_path / "gone")
    with pytest.raises(UserError, match="This is no folder"):
        scan_subset(write(tmp_path / "file.txt", ""))
    with pytest.raises(UserError, match="No pictures in this folder"):
        scan_subset(tmp_path)


def turned(tag: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = tag
    return exif


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tiff", ".avif"])
def test_the_exif_orientation_is_applied(tmp_path: Path, ending: str, tag: int) -> None:
    if ending == ".avif" and ".avif" not in Image.registered_extensions():
        pytest.skip("this Pillow cannot read AVIF")
    upright = Image.new("RGB", (32, 16), "black")
    upright.paste((255, 0, 0), (0, 0, 16, 8))  # red in the corner that the orientation moves
    stored = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[tag]
    path = save(tmp_path / f"a{ending}", stored, exif=turned(tag))
    seen = open_image(path)
    assert seen.size == (32, 16)
    assert np.abs(np.asarray(seen, float) - np.asarray(upright, float)).mean() < 12
    image = scan_subset(tmp_path)[0]
    assert (image.width, image.height) == (32, 16)


def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    for ending in (".png", ".tiff"):
        path = save(tmp_path / f"a{ending}", Image.fromarray(values))
        assert np.asarray(open_image(path))[0, :, 0].tolist() == [0, 100, 255]
    big = tmp_path / "big.tiff"
    Image.fromarray(values.astype(np.int32)).save(big)
    assert np.asarray(open_image(big))[0, :, 0].tolist() == [0, 100, 255]
    floats = tmp_path / "floats.tiff"
    Image.fromarray((values / 65535).astype(np.float32)).save(floats)
    assert np.asarray(open_image(floats))[0, :, 1].tolist() == [0, 100, 255]


def png(width: int, depth: int, colour: int, row: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of one row, written by hand: Pillow writes no 16-bit colour and no colour keys."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_transparent_colours_of_every_kind_of_png_become_alpha(tmp_path: Path) -> None:
    rows = {
        "grey8": png(2, 8, 0, bytes([7, 200]), (b"tRNS", struct.pack(">H", 7))),
        "rgb8": png(2, 8, 2, bytes([1, 2, 3, 9, 9, 9]), (b"tRNS", struct.pack(">3H", 1, 2, 3))),
        "grey16": png(2, 16, 0, struct.pack(">2H", 700, 701), (b"tRNS", struct.pack(">H", 700))),
        "rgb16": png(
            2, 16, 2, struct.pack(">6H", 700, 800, 900, 60000, 60000, 60000),
            (b"tRNS", struct.pack(">3H", 700, 800, 900)),
        ),
        "palette": png(
            2, 8, 3, bytes([0, 1]), (b"PLTE", bytes([1, 2, 3, 4, 5, 6])), (b"tRNS", bytes([0, 255]))
        ),
    }  # fmt: skip
    for name, data in rows.items():
        path = tmp_path / f"{name}.png"
        path.write_bytes(data)
        seen = open_image(path)
        assert seen.mode == "RGBA", name
        assert np.asarray(seen)[0, :, 3].tolist() == [0, 255], name
    assert all(image.has_alpha for image in scan_subset(tmp_path))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
def test_every_mode_is_opened_as_rgb_or_rgba(tmp_path: Path, mode: str) -> None:
    source = picture((6, 4), mode="RGBA")
    image = Image.new(mode, (6, 4)) if mode in ("I", "F", "I;16") else source.convert(mode)
    seen = open_image(save(tmp_path / "a.tiff", image))
    assert seen.mode in ("RGB", "RGBA") and seen.size == (6, 4)
    assert (seen.mode == "RGBA") == (mode in ("LA", "RGBA"))


def test_cmyk_white_is_white(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 0, 0, 0)), quality=95)
    assert np.asarray(open_image(path)).min() >= 250


def test_a_profile_is_applied_and_a_broken_one_left_out(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4), (200, 100, 50))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = save(tmp_path / "srgb.png", image, icc_profile=srgb)
    assert open_image(path).getpixel((0, 0)) == (200, 100, 50)
    broken = save(tmp_path / "broken.png", image, icc_profile=b"not a profile")
    assert open_image(broken).getpixel((0, 0)) == (200, 100, 50)
    swapped = save(tmp_path / "swapped.png", image, icc_profile=swapped_profile(srgb))
    red, green, blue = open_image(swapped).getpixel((0, 0))
    assert blue > red and blue > green, "the profile's blue is this picture's red"
    clear = Image.new("RGBA", (4, 4), (200, 100, 50, 128))
    seen = open_image(save(tmp_path / "clear.png", clear, icc_profile=swapped_profile(srgb)))
    assert seen.getpixel((0, 0)) == (red, green, blue, 128)


def test_a_profile_that_is_srgb_by_its_name_but_linear_is_applied(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = srgb.replace("RGB built-in".encode("utf-16-be"), "linear  sRGB".encode("utf-16-be"))
    image = Image.new("RGB", (4, 4), (200, 100, 50))
    curve = b"curv" + bytes(4) + struct.pack(">I", 0)
    place = named.index(b"para")
    linear = named[:place] + curve + named[place + len(curve) :]
    path = save(tmp_path / "a.png", image, icc_profile=linear)
    red, green, blue = open_image(path).getpixel((0, 0))
    assert red > 220 and green > 150 and blue > 110


def swapped_profile(srgb: bytes) -> bytes:
    """sRGB with red and blue exchanged, under another name."""
    marked = srgb.replace(b"rXYZ", b"tmp_").replace(b"bXYZ", b"rXYZ").replace(b"tmp_", b"bXYZ")
    for name in ("sRGB", "RGB built-in"):
        for encoding in ("ascii", "utf-16-be"):
            other = "X" * len(name)
            marked = marked.replace(name.encode(encoding), other.encode(encoding))
    return marked


def test_the_first_frame_of_an_animation_is_opened(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    for ending in (".gif", ".webp", ".png"):
        out = io.BytesIO()
        kind = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}[ending]
        frames[0].save(out, kind, save_all=True, append_images=frames[1:])
        path = tmp_path / f"a{ending}"
        path.write_bytes(out.getvalue())
        red, green, blue = open_image(path).convert("RGB").getpixel((0, 0))
        assert red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".gif", ".bmp", ".tiff"])
def test_a_truncated_file_is_one_line_that_names_it(tmp_path: Path, ending: str) -> None:
    path = save(tmp_path / f"half{ending}", picture((64, 64)))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="half") as caught:
        open_image(path)
    assert "\n" not in str(caught.value)


def test_a_picture_that_needs_a_plugin_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.JXL", "no reader takes this")
    monkeypatch.setattr(Image, "registered_extensions", lambda: {".png": "PNG"})
    with pytest.raises(UserError, match=r"cannot read \.jxl here.*pillow-jxl-plugin"):
        open_image(path)
    monkeypatch.setattr(Image, "registered_extensions", lambda: {".jxl": "JXL"})
    with pytest.raises(UserError, match="Not a picture"):
        open_image(path)


def test_a_decompression_bomb_is_refused_even_where_the_host_has_lifted_the_guard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0)
    path.write_bytes(png(1, 8, 0, b"\0").replace(struct.pack(">II", 1, 1), header[:8], 1))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(UserError, match="bomb|million pixels"):
        open_image(path)


def test_a_vanished_picture_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="This picture is not there.*gone.png. Check its name"):
        open_image(tmp_path / "gone.png")


def test_the_content_hash_is_sha256(tmp_path: Path) -> None:
    digest = content_hash(write(tmp_path / "a", "abc"))
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("name", "repeats"),
    [("3_kafka", 3), ("12_", 12), ("kafka", None), ("0_x", None), ("x_3", None), ("3", None)],
)
def test_repeats_are_read_from_a_folder_name(name: str, repeats: int | None) -> None:
    assert repeats_of_folder(name) == repeats


def test_what_a_plain_picture_s_file_said_is_not_carried_on(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 3), "red").save(path, dpi=(300, 300))
    seen = open_image(path)
    path.unlink()
    assert (seen.mode, seen.size, seen.info, seen.getpixel((3, 2))) == (
        "RGB", (4, 3), {}, (255, 0, 0),
    )  # fmt: skip
    assert seen.resize((2, 2)).tobytes() == bytes((255, 0, 0)) * 4
