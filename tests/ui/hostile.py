"""Names, tags and prompts that try to become markup, code or another program's template."""

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
