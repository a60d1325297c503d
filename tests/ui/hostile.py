"""Names, tags and prompts that try to become markup, code or another program's template."""

from html.parser import HTMLParser

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</textarea><svg/onload=alert(1)>",
    "{{7*7}} ${7*7} #{7*7}",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "<!--",
    "]]><x>",
    "\u202e<b>",
)


def is_plain(page: str, text: str) -> bool:
    """Whether a hostile text stands in the page as nothing but text."""
    quiet = not any(mark in text for mark in "<\"'{$")
    return quiet or text not in page


class Tags(HTMLParser):
    """The elements of a piece of HTML, with the names of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, tuple(name for name, _ in attrs)))


def tags(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """Elements and their attributes' names, in order."""
    parser = Tags()
    parser.feed(html)
    return parser.seen
