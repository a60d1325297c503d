"""A file that was cut short is seen without decoding the others, whatever Pillow was told."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image, ImageFile, features

from lib_lora_cook.dataset.images import open_image, read_image_file, scan_subset
from lib_lora_cook.dataset.whole import looks_cut, strictly
from lib_lora_cook.errors import UserError

from .tree import picture, save

ENDINGS = ["png", "jpg", "webp", "gif", "bmp", "tif", *(["avif"] if features.check("avif") else [])]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_scan_names_what_was_cut_short(tmp_path: Path, ending: str) -> None:
    whole = save(tmp_path / f"whole.{ending}", picture((40, 40)))
    data = whole.read_bytes()
    for share in (50, 75, 95):
        (tmp_path / f"cut{share}.{ending}").write_bytes(data[: len(data) * share // 100])
    failed: list[tuple[Path, str]] = []
    assert [image.path for image in scan_subset(tmp_path, failed)] == [whole]
    assert [path.stem for path, _ in failed] == ["cut50", "cut75", "cut95"]
    assert all(why and "bytes not processed" not in why for _, why in failed)


@pytest.mark.parametrize(
    ("ending", "end"),
    [("jpg", b"\0\0"), ("png", b"more"), ("gif", b"\0"), ("webp", b"x"), ("bmp", b"x")],
)
def test_a_whole_picture_with_something_behind_it_is_fine(
    tmp_path: Path, ending: str, end: bytes
) -> None:
    path = save(tmp_path / f"a.{ending}", picture((40, 40)))
    path.write_bytes(path.read_bytes() + end)
    assert read_image_file(path).width == 40
    assert open_image(path).size == (40, 40)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_what_another_program_has_put_behind_a_picture_needs_no_decoding(
    tmp_path: Path, ending: str
) -> None:
    path = save(tmp_path / f"a.{ending}", picture((40, 40)))
    film = b"\0\0\0\x18ftypmp42" + picture((60, 60), seed=2).tobytes()
    path.write_bytes(path.read_bytes() + film)
    with Image.open(path) as image:
        assert not looks_cut(image)
        image.load()
    cut = tmp_path / f"cut.{ending}"
    cut.write_bytes(path.read_bytes()[: -len(film) - 200])
    with Image.open(cut) as image:
        assert looks_cut(image)


def test_a_thumbnail_s_end_is_not_the_picture_s(tmp_path: Path) -> None:
    out = io.BytesIO()
    picture((8, 8)).save(out, "JPEG")
    path = save(tmp_path / "a.jpg", picture((40, 40)), comment=out.getvalue())
    path.write_bytes(path.read_bytes()[:-300])
    with Image.open(path) as image:
        assert looks_cut(image)


def test_a_cut_picture_is_refused_where_another_program_fills_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    path = save(tmp_path / "a.png", picture((40, 40)))
    path.write_bytes(path.read_bytes()[:-900])
    for read in (open_image, read_image_file):
        with pytest.raises(UserError, match="broken"):
            read(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_what_pillow_was_told_comes_back_once_the_last_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)

    def read(_: int) -> bool:
        with strictly():
            return ImageFile.LOAD_TRUNCATED_IMAGES

    with ThreadPoolExecutor(8) as pool:
        assert not any(pool.map(read, range(500)))
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_an_animation_is_known_as_one(tmp_path: Path) -> None:
    frames = [picture((8, 8), seed=seed) for seed in range(3)]
    for ending in ("gif", "webp", "png", "tif"):
        moving = save(tmp_path / f"a.{ending}", frames[0], save_all=True, append_images=frames[1:])
        still = save(tmp_path / f"b.{ending}", frames[0])
        assert (read_image_file(moving).animated, read_image_file(still).animated) == (True, False)
