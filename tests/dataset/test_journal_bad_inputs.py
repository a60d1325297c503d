"""Two hundred bad inputs: each is named with the reason, the others are done, nothing is lost."""

import errno
import io
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lib_lora_cook.dataset import changes as plans
from lib_lora_cook.dataset import journal, staging, steps
from lib_lora_cook.dataset.changes import Change
from lib_lora_cook.dataset.images import Failure, ImageFile, open_image, scan_subset

from .tree import picture, save, snapshot, write

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX has links, pipes and odd names")
KINDS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF"}
Plan = Callable[[list[ImageFile]], list[Change]]
PLANS: dict[str, Plan] = {
    "convert": plans.plan_convert,
    "flatten": plans.plan_flatten,
    "small": lambda images: plans.plan_small(images, 7),
    "trigger": lambda images: plans.plan_trigger(images, "kafka"),
}
GOOD = ("a.webp", "m.webp", "z.webp")


def encoded(kind: str, side: int = 40) -> bytes:
    out = io.BytesIO()
    picture((side, side), seed=side).save(out, kind)
    return out.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG that says so in its header, and holds next to nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    whole = encoded("PNG")
    return (
        whole[:8] + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + whole[33:]
    )


def bomb(kind: str, side: int) -> bytes:
    if kind == "png":
        return png_of(side, side)
    data = bytearray(encoded(KINDS[kind]))
    place, form = {"bmp": (18, "<ii"), "gif": (6, "<HH")}[kind]
    side = min(side, 65535) if kind == "gif" else side
    data[place : place + struct.calcsize(form)] = struct.pack(form, side, side)
    return bytes(data)


def flipped(place: int) -> bytes:
    """A PNG with wrong bytes in its pixels, which its checksum tells."""
    data = bytearray(encoded("PNG"))
    at = 60 + place * 400
    data[at : at + 4] = bytes(255 - byte for byte in data[at : at + 4])
    return bytes(data)


def bad_files() -> dict[str, bytes]:
    """Name -> bytes of a file that is no whole picture."""
    bad = {f"zero.{ending}": b"" for ending in (*KINDS, "jpeg", "tif", "avif", "PNG")}
    bad |= {f"text.{ending}": b"this is no picture" * 20 for ending in (*KINDS, "jpeg", "avif")}
    bad |= {f"zeros.{ending}": bytes(4096) for ending in (*KINDS, "jpeg", "avif")}
    bad |= {f"html.{ending}": b"<!DOCTYPE html><html>404" for ending in KINDS}
    for ending, kind in KINDS.items():
        whole = encoded(kind)
        for share in (1, 5, 20, 40, 60, 80, 90):
            bad[f"cut{share}.{ending}"] = whole[: max(4, len(whole) * share // 100)]
    for side in (20_000, 60_000, 2_000_000):
        bad |= {f"bomb{side}.{kind}": bomb(kind, side) for kind in ("png", "bmp")}
    bad["bomb.gif"] = bomb("gif", 65535)
    bad |= {f"flipped{place}.png": flipped(place) for place in range(10)}
    bad |= {f"head{size}.png": encoded("PNG")[:size] for size in (8, 12, 20, 33)}
    return bad


def broken_links(folder: Path) -> dict[str, Callable[[Path], object]]:
    """What is no file at all, under the name of a picture."""
    return {
        "itself": lambda path: path.symlink_to(path.name),
        "circle": lambda path: (
            path.symlink_to("other.png"), (folder / "other.png").symlink_to(path.name)
        ),
        "nowhere": lambda path: path.symlink_to("gone.png"),
        "folder": lambda path: path.symlink_to(folder),
        "above": lambda path: path.symlink_to(".."),
        "pipe": lambda path: os.mkfifo(path),
        "device": lambda path: path.symlink_to("/dev/zero"),
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three good pictures, with captions and transparency; small."""
    return good_folder(tmp_path / "set")


def good_folder(folder: Path) -> Path:
    for number, name in enumerate(GOOD):
        save(folder / name, picture(seed=number, mode="RGBA"), lossless=True)
        write((folder / name).with_suffix(".txt"), f"solo, {name}")
    return folder


def run(folder: Path, plan: Plan) -> journal.Applied:
    """A verb: what cannot be read or changed is named, the rest is done."""
    failed: list[Failure] = []
    applied = journal.apply_changes(folder, plan(scan_subset(folder, failed)))
    return journal.Applied(applied.entry, applied.applied, failed + applied.failed)


def named(result: journal.Applied, path: Path) -> str:
    """The reason that is given for one path, which must be the only one."""
    assert {where for where, _ in result.failed} == {path}
    reason = result.failed[0][1]
    assert reason and "\n" not in reason
    return reason


FILES = bad_files()
NAMES = list(FILES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_no_picture(folder: Path, name: str) -> None:
    """Which verb it is goes round, so that each meets each kind of file."""
    (folder / name).write_bytes(FILES[name])
    write((folder / name).with_suffix(".txt"), "of the bad one")
    before = snapshot(folder)
    what = list(PLANS)[NAMES.index(name) % len(PLANS)]
    if name.startswith(("cut", "flipped", "head")) and what in ("small", "trigger"):
        what = "convert"  # their headers are whole: seen once the pixels are read

    def plan(images: list[ImageFile]) -> list[Change]:
        return PLANS[what](images) + [
            Change("picture", image.path, "read", image.path.with_suffix(".tif"), image.stamp)
            for image in images
            if image.path.name == name
        ]

    result = run(folder, plan)
    reason = named(result, folder / name)
    assert ("million pixels" in reason) == name.startswith("bomb")
    assert len(result.applied) == 3
    assert (folder / name).read_bytes() == FILES[name]
    assert (folder / name).with_suffix(".txt").read_text() == "of the bad one"
    journal.undo(folder)
    assert snapshot(folder) == before


@POSIX
@pytest.mark.parametrize("kind", broken_links(Path()))
def test_what_is_no_file(folder: Path, kind: str) -> None:
    path = folder / "link.png"
    broken_links(folder)[kind](path)
    failed: list[Failure] = []
    images = scan_subset(folder, failed)
    assert path in {where for where, _ in failed} and all(why for _, why in failed)
    applied = journal.apply_changes(folder, plans.plan_convert(images))
    assert len(applied.applied) == 3 and os.path.lexists(path)
    journal.undo(folder)
    assert sorted(image.path.name for image in scan_subset(folder, [])) == list(GOOD)


@POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read all")
@pytest.mark.parametrize("name", ["picture", "caption"])
def test_what_may_not_be_read(folder: Path, name: str) -> None:
    path = folder / ("m.webp" if name == "picture" else "m.txt")
    path.chmod(0)
    failed: list[Failure] = []
    assert len(scan_subset(folder, failed)) == 2
    assert "ermission" in failed[0][1]
    path.chmod(0o644)


ODD = [b"\xff\xfe.webp", b"caf\xe9.webp", b"\x80.webp", b"new\nline.webp", b"q'uote\".webp",
       b"%s {0}.webp", b" space .webp", b"-rf.webp", b"dot..webp", "ネコ🐱.webp".encode(),
       "e\u0301.webp".encode(), b"a" * 250 + b".webp"]  # fmt: skip


@POSIX
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_a_good_picture_of_an_odd_name_is_done(folder: Path, name: bytes, plan: str) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    save(path, picture(mode="RGBA"), format="WEBP", lossless=True)
    before = snapshot(folder)
    result = run(folder, PLANS[plan])
    assert result.failed == [] and len(result.applied) == 4
    assert plan == "small" or PLANS[plan](scan_subset(folder)) == []
    journal.undo(folder)
    assert snapshot(folder) == before


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("length", [240, 260, 300, 1000])
def test_a_long_path_is_done(tmp_path: Path, length: int, plan: str) -> None:
    if sys.platform == "win32":
        pytest.skip("depends on a setting of Windows")
    place = tmp_path
    while len(str(place)) < length:
        place = place / ("d" * min(100, max(1, length - len(str(place)))))
    folder = good_folder(place)
    before = snapshot(folder)
    result = run(folder, PLANS[plan])
    assert result.failed == [] and len(result.applied) == 3
    journal.undo(folder)
    assert snapshot(folder) == before


@pytest.mark.parametrize("plan", ["convert", "flatten", "small"])
@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("how", ["vanished", "rewritten", "became a folder"])
def test_a_picture_that_is_another_one_by_now(folder: Path, name: str, plan: str, how: str) -> None:
    changes = PLANS[plan](scan_subset(folder))
    path = folder / name
    path.unlink()
    if how == "rewritten":
        save(path, picture((50, 50)))
        os.utime(path)
    elif how == "became a folder":
        path.mkdir()
    before = snapshot(folder)
    result = journal.apply_changes(folder, changes)
    assert named(result, path)
    assert len(result.applied) == 2
    journal.undo(folder)
    assert snapshot(folder) == before


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("how", ["rewritten", "became a folder"])
def test_a_caption_that_is_another_one_by_now(folder: Path, name: str, how: str) -> None:
    changes = PLANS["trigger"](scan_subset(folder))
    path = (folder / name).with_suffix(".txt")
    path.unlink()
    if how == "rewritten":
        write(path, "by hand")
    else:
        path.mkdir()
    before = snapshot(folder)
    result = journal.apply_changes(folder, changes)
    assert named(result, path)
    journal.undo(folder)
    assert snapshot(folder) == before


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("where", ["written", "brought to the disk", "renamed"])
def test_a_disk_that_is_full(
    folder: Path, monkeypatch: pytest.MonkeyPatch, where: str, number: int, plan: str
) -> None:
    before = snapshot(folder)
    left = [number]

    def full(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    stage, sync, do = staging.stage, steps.sync_file, steps.Place.do
    with monkeypatch.context() as patch:
        if where == "written":
            patch.setattr(staging, "stage", lambda *args: full() or stage(*args))
        elif where == "renamed":
            patch.setattr(steps.Place, "do", lambda place, step: full() or do(place, step))
        else:
            patch.setattr(staging, "sync_file", lambda file: _error(full) or sync(file))
        result = run(folder, PLANS[plan])
    made = {change.path for change in result.applied}
    lost = {path for path, _ in result.failed}
    assert len(made) + len(lost) == 3 and not made & lost
    if not (plan == "small" and where != "renamed"):  # a move writes nothing
        assert lost and {why for _, why in result.failed} == {os.strerror(errno.ENOSPC)}
    assert all(open_image(image.path).size == (8, 6) for image in scan_all(folder))
    journal.undo(folder, to="0") if made else None
    assert snapshot(folder) == before


def _error(work: Callable[[], None]) -> OSError | None:
    try:
        work()
    except OSError as error:
        return error
    return None


def scan_all(folder: Path) -> list[ImageFile]:
    """All three pictures, wherever they are now."""
    places = [place for place in (folder, folder / "small") if any(place.glob("*.[wp]*"))]
    images = [image for place in places for image in scan_subset(place)]
    assert len(images) == 3
    return images


def test_these_are_two_hundred() -> None:
    odd, moments = len(ODD) * len(PLANS) + 4 * len(PLANS), 27 + 6 + 3 * 3 * len(PLANS)
    assert len(FILES) + len(broken_links(Path())) + odd + moments >= 200


@POSIX
def test_a_disk_that_takes_only_a_part_of_a_file_leaves_none_of_it(folder: Path) -> None:
    """The system itself: files end at 2,000 bytes, and the write that meets that is a short one."""
    import resource
    import signal

    small = save(folder / "small.webp", picture((4, 4)), lossless=True)
    save(folder / "large.webp", picture((90, 90)), lossless=True)
    before = snapshot(folder)
    images = scan_subset(folder)
    changes = [it for it in plans.plan_convert(images) if it.path.stem in ("small", "large")]
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, old[1]))
    try:
        applied = journal.apply_changes(folder, changes)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path, _ in applied.failed] == ["large.webp"]
    assert [change.path for change in applied.applied] == [small]
    assert open_image(folder / "small.png").size == (4, 4)
    assert not (folder / "large.png").exists() and (folder / "large.webp").exists()
    journal.undo(folder)
    assert snapshot(folder) == before
