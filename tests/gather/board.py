"""Boorus on this computer: Gelbooru 0.2, Danbooru and Moebooru as they answer, troubles included.

`python -m tests.gather.board SOFTWARE` serves one until it is killed, and prints its address.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

CATEGORIES = {
    "1girl": "general", "long_hair": "general", "^_^": "general", "solo": "general",
    "kafka_(honkai:_star_rail)": "character", "honkai:_star_rail": "copyright",
    "some_artist": "artist", "highres": "meta", "blood": "general",
}  # fmt: skip
NUMBERS = {"general": 0, "artist": 1, "copyright": 3, "character": 4, "meta": 5}
USER, KEY = "42", "s3cret-key"


def picture(seed: int, size: tuple[int, int] = (24, 16), kind: str = "PNG") -> bytes:
    """The bytes of a small picture, different for every seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@dataclass
class Entry:
    """One post and what is wrong with it."""

    id: int
    data: bytes
    name: str = ""
    tags: str = "1girl ^_^ kafka_(honkai:_star_rail) honkai:_star_rail some_artist highres"
    rating: str = "g"
    size: tuple[int, int] = (24, 16)
    md5: str = ""
    url: str = ""
    troubles: list[str] = field(default_factory=list)
    """What the file's next requests meet, in this order: 503, 429, cut, short; then it is well."""
    always: str = ""
    hidden: bool = False

    def __post_init__(self) -> None:
        self.md5 = self.md5 or hashlib.md5(self.data).hexdigest()
        self.name = self.name or f"{self.id}.png"


@dataclass
class Board:
    """What a server has and how it behaves, and what it was asked."""

    software: str
    entries: list[Entry]
    per_page: int = 20
    needs_keys: bool = False
    tag_list: str = "names"
    """How a Gelbooru tells categories: names (many at once), name (one), page, none."""
    rude: bool = False
    """Whether it hangs up on questions that it does not understand."""
    json_only: bool = False
    redirects: dict[str, str] = field(default_factory=dict)
    slow: float = 0.0
    retry_after: str = "1"
    api_troubles: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    root: str = ""

    def found(self, tags: str) -> list[Entry]:
        """The posts of a search, newest first."""
        posts = sorted(self.entries, key=lambda it: -it.id)
        for word in tags.split():
            if word.startswith("md5:"):
                posts = [it for it in posts if it.md5 in word[4:].split(",")]
            elif word.startswith("id:<"):
                posts = [it for it in posts if it.id < int(word[4:])]
            elif word.startswith("-"):
                posts = [it for it in posts if word[1:] not in it.tags.split()]
            else:
                posts = [it for it in posts if word in it.tags.split()]
        return posts

    def file_url(self, entry: Entry) -> str:
        """Where a post's file lies."""
        return entry.url or f"{self.root}/images/{entry.id}/{quote(entry.name)}"


class Handler(BaseHTTPRequestHandler):
    """Answers for `board`."""

    board: Board
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""

    def do_GET(self) -> None:
        """One request."""
        board, parts = self.board, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        board.asked.append(self.path)
        board.times[parts.path] += 1
        if parts.path in board.redirects:
            self.say(302, b"", {"Location": board.redirects[parts.path]})
        elif parts.path.startswith("/images/"):
            self.file(int(parts.path.split("/")[2]))
        elif board.api_troubles:
            self.say(board.api_troubles.pop(0), b"", {"Retry-After": "1"})
        elif getattr(self, board.software)(parts.path, query):
            pass
        elif board.rude:
            self.close_connection = True
        else:
            self.say(404, b"no such page")

    def say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> bool:
        """A whole answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        return True

    def tell(self, what: object) -> bool:
        """An answer in JSON."""
        return self.say(200, json.dumps(what).encode(), {"Content-Type": "application/json"})

    def file(self, number: int) -> None:
        """A post's picture, or the trouble that it is in."""
        entry = next(it for it in self.board.entries if it.id == number)
        trouble = entry.troubles.pop(0) if entry.troubles else entry.always
        time.sleep(self.board.slow)
        if trouble == "503":
            self.say(503, b"busy")
        elif trouble == "429":
            self.say(429, b"slow down", {"Retry-After": self.board.retry_after})
        elif trouble == "404":
            self.say(404, b"gone")
        elif trouble == "cut":  # says more than it sends
            self.send_response(200)
            self.send_header("Content-Length", str(len(entry.data)))
            self.end_headers()
            self.wfile.write(entry.data[: len(entry.data) // 2])
            self.close_connection = True
        elif trouble == "short":  # half a file that pretends to be a whole one
            self.say(200, entry.data[: len(entry.data) // 2])
        else:
            self.whole(entry)

    def whole(self, entry: Entry) -> None:
        """The picture, or the part of it that is asked for."""
        asked = self.headers.get("Range")
        if not asked:
            self.say(200, entry.data)
            return
        self.board.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").split("-")[0])
        if start >= len(entry.data):
            self.say(416, b"")
            return
        whole = len(entry.data)
        span = {"Content-Range": f"bytes {start}-{whole - 1}/{whole}"}
        self.say(206, entry.data[start:], span)

    def page(self, posts: list[Entry], query: dict[str, str], first: int) -> list[Entry]:
        """One page of a search."""
        board = self.board
        size = min(int(query.get("limit", "20")), board.per_page)
        number = int(query.get("pid" if first == 0 else "page", first)) - first
        return posts[number * size : (number + 1) * size]

    def gelbooru(self, path: str, query: dict[str, str]) -> bool:
        """index.php?page=dapi of Gelbooru 0.2."""
        board = self.board
        if path != "/index.php":
            return False
        if query.get("page") == "post" and query.get("s") == "view":
            return board.tag_list == "page" and self.post_page(int(query["id"]))
        if query.get("page") != "dapi":
            return False
        if board.needs_keys and (query.get("user_id"), query.get("api_key")) != (USER, KEY):
            return self.say(401, b"Missing authentication")
        if query.get("s") == "tag":
            asked = query.get(board.tag_list, "").split()
            return bool(asked) and self.tag_names(asked)
        posts = board.found(query.get("tags", ""))
        some = self.page(posts, query, 0)
        if board.json_only:
            return self.tell([self.gelbooru_post(it) for it in some])
        rows = "".join(
            "<post " + " ".join(f"{k}={quoteattr(str(v))}" for k, v in it.items()) + "/>"
            for it in map(self.gelbooru_post, some)
        )
        xml = f'<?xml version="1.0" encoding="UTF-8"?><posts count="{len(posts)}" offset="0">'
        return self.say(200, f"{xml}{rows}</posts>".encode())

    def gelbooru_post(self, entry: Entry) -> dict[str, Any]:
        """One post as Gelbooru 0.2 tells it."""
        md5 = "hash" if self.board.json_only else "md5"
        return {
            "id": entry.id, md5: entry.md5, "tags": f" {entry.tags} ", "rating": entry.rating,
            "width": entry.size[0], "height": entry.size[1], "score": 3, "source": "https://x/1",
            "file_url": "" if entry.hidden else self.board.file_url(entry),
            "preview_url": f"{self.board.root}/thumbnails/{entry.id}.jpg",
            "created_at": "Mon Nov 23 07:00:00 +0000 2026", "image": entry.name,
        }  # fmt: skip

    def tag_names(self, names: list[str]) -> bool:
        """s=tag&names=..."""
        rows = "".join(
            f'<tag type="{NUMBERS[CATEGORIES[name]]}" count="9" name={quoteattr(name)} id="1"/>'
            for name in names
        )
        return self.say(200, f'<tags type="array">{rows}</tags>'.encode())

    def post_page(self, number: int) -> bool:
        """The list of tags beside a picture."""
        entry = next(it for it in self.board.entries if it.id == number)
        rows = "".join(
            f'<li class="tag-type-{CATEGORIES[tag]} tag"><a href="index.php?page=wiki&amp;s=list">'
            f'?</a> <a href="index.php?page=post&amp;s=list&amp;tags={quote(tag)}">{tag}</a></li>'
            for tag in entry.tags.split()
        )
        return self.say(200, f'<html><ul id="tag-sidebar">{rows}</ul></html>'.encode())

    def danbooru(self, path: str, query: dict[str, str]) -> bool:
        """posts.json and counts of Danbooru."""
        board = self.board
        given = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        if board.needs_keys and self.headers.get("Authorization") != f"Basic {given}":
            return self.say(401, b'{"success":false}')
        posts = board.found(query.get("tags", ""))
        if path == "/counts/posts.json":
            return self.tell({"counts": {"posts": len(posts)}})
        if path != "/posts.json":
            return False
        if query.get("page", "1").startswith("b"):
            posts = [it for it in posts if it.id < int(query["page"][1:])]
            query = {**query, "page": "1"}
        return self.tell([self.danbooru_post(it) for it in self.page(posts, query, 1)])

    def danbooru_post(self, entry: Entry) -> dict[str, Any]:
        """One post as Danbooru tells it; what only members may see lacks file and md5."""
        tags = entry.tags.split()
        kinds = ("general", "artist", "character", "copyright", "meta")
        lists = {
            f"tag_string_{kind}": " ".join(it for it in tags if CATEGORIES[it] == kind)
            for kind in kinds
        }
        post = {
            "id": entry.id, "created_at": "2026-11-23T07:00:00.000-05:00", "score": 3,
            "source": "https://x/1", "rating": entry.rating, "image_width": entry.size[0],
            "image_height": entry.size[1], "tag_string": entry.tags,
            "file_ext": entry.name.rpartition(".")[2], "file_size": len(entry.data), **lists,
        }  # fmt: skip
        if entry.hidden:
            return post
        return {**post, "md5": entry.md5, "file_url": self.board.file_url(entry)}

    def moebooru(self, path: str, query: dict[str, str]) -> bool:
        """post.json of Moebooru."""
        posts = self.board.found(query.get("tags", ""))
        if path == "/post.xml":
            return self.say(200, f'<posts count="{len(posts)}" offset="0"></posts>'.encode())
        if path != "/post.json":
            return False
        some = [
            {
                "id": it.id, "tags": it.tags, "md5": it.md5, "rating": it.rating, "score": 3,
                "source": "https://x/1", "created_at": 1790000000, "file_size": len(it.data),
                "file_url": self.board.file_url(it), "width": it.size[0], "height": it.size[1],
            }
            for it in self.page(posts, query, 1)
        ]  # fmt: skip
        if query.get("include_tags") != "1":
            return self.tell(some)
        return self.tell({"posts": some, "tags": CATEGORIES})


class Server(ThreadingHTTPServer):
    """One that does not mind visitors who are killed."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing on stderr."""


@contextmanager
def serving(board: Board, port: int = 0) -> Iterator[Board]:
    """The board on a port of this computer."""
    handler = type("BoardHandler", (Handler,), {"board": board})
    server = Server(("127.0.0.1", port), handler)
    board.root = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield board
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def troubled(software: str, count: int = 45) -> Board:
    """A board where most is well, and everything that can go wrong does so once."""
    entries = [Entry(id, picture(id)) for id in range(1, count + 1)]
    entries[3].troubles = ["503"]
    entries[4].troubles = ["429"]
    entries[5].troubles = ["cut"]
    entries[6].troubles = ["short"]
    entries[7] = Entry(8, entries[2].data)  # the file of post 3 again
    entries[8].always = "short"
    entries[9] = Entry(10, picture(10) + b"\0" * 3_000_000)
    entries[10].name = "../../..\\evil: con?*|名前 %41.PNG"
    entries[11].name = "film.webm"
    entries[12].hidden = software == "danbooru"
    return Board(software, entries)


if __name__ == "__main__":
    with serving(troubled(sys.argv[1])) as board_:
        board_.slow = 0.05
        print(board_.root, flush=True)
        threading.Event().wait()
