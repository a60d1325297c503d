"""What a WebUI writes into its pictures: the prompt, and the settings it was drawn with.

The text is the prompt's lines, then `Negative prompt: ...`, then one line
`Steps: 20, Sampler: Euler a, ..., Seed: 1, Model hash: 6ce0161689, Model: name`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ..dataset.captions import join_tags, split_tags
from ..dataset.tags import dedupe_tags

_SETTING = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_NEGATIVE = "Negative prompt:"
_LEAST_SETTINGS = 3
_EXTRA_NETWORK = re.compile(r"<[A-Za-z]\w*:[^<>]*>")
_BRACKETS = re.compile(r"(?<!\\)\[((?:\\.|[^\[\]\\])*)\]", re.DOTALL)
_NUMBER = re.compile(r"\s*[+-]?[.\d]+\s*")
_TOKEN = re.compile(r"\\.?|[()\[\]]|:\s*[+-]?[.\d]+\s*\)|[^\\()\[\]:]+|:", re.DOTALL)
_USER_COMMENT, _EXIF_IFD = 0x9286, 0x8769


@dataclass(frozen=True)
class Generation:
    """How a picture was drawn."""

    prompt: str = ""
    negative_prompt: str = ""
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The checkpoint's name, "" if unknown."""
        return self.settings.get("Model", "")

    @property
    def model_hash(self) -> str:
        """The beginning of the checkpoint's hash, "" if unknown."""
        return self.settings.get("Model hash", "")

    def fits(self, prompt: str, model: str) -> bool:
        """Whether all words between the commas of `prompt` are in this one's, and so the model."""
        words = [word.casefold() for word in split_tags(prompt)]
        wanted = model.strip().casefold()
        named = wanted in self.model.casefold() or wanted == self.model_hash.casefold()
        return named and all(word in self.prompt.casefold() for word in words)


def parse_infotext(text: str) -> Generation:
    """An infotext in its parts; text that is none is all prompt."""
    *lines, last = text.strip().split("\n")
    settings = {name: _unquoted(value) for name, value in _SETTING.findall(last)}
    if len(settings) < _LEAST_SETTINGS:
        lines, settings = [*lines, last], {}
    prompt, found, negative = "\n".join(lines).partition(_NEGATIVE)
    if found and not (prompt == "" or prompt.endswith("\n")):
        prompt, negative = prompt + found + negative, ""  # the words stand inside the prompt
    return Generation(prompt.strip(), negative.strip(), settings)


def _unquoted(value: str) -> str:
    value = value.strip()
    quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value


def caption_of_prompt(prompt: str) -> str:
    """A prompt as a caption: no weights, LoRAs, BREAK or escapes; the end of what changes."""
    text = _EXTRA_NETWORK.sub(" ", prompt)
    text = re.sub(r"\b(BREAK|AND)\b", ",", text)
    while True:
        plainer = _BRACKETS.sub(lambda found: _settled(found[1]), text)
        if plainer == text:
            break
        text = plainer
    parts = (" ".join(part.split()) for part in split_tags(_without_weights(text)))
    return join_tags(dedupe_tags([part for part in parts if part]))


def _settled(inside: str) -> str:
    """What `[a:b:0.5]`, `[b:0.5]`, `[a|b]` or `[a]` come to in the end."""
    choices = _split(inside, "|")
    if len(choices) > 1:
        return ", ".join(choices)
    parts = _split(inside, ":")
    return parts[-2] if len(parts) in (2, 3) and _NUMBER.fullmatch(parts[-1]) else inside


def _split(text: str, mark: str) -> list[str]:
    """Split where the mark stands outside round brackets."""
    parts, depth = [""], 0
    for token in re.findall(r"\\.?|.", text, re.DOTALL):
        depth += (token == "(") - (token == ")")
        if token == mark and depth <= 0:
            parts.append("")
        else:
            parts[-1] += token
    return parts


def _without_weights(text: str) -> str:
    """The text without the brackets that weigh it; what is escaped stays, without its escape."""
    plain, depth = [], 0
    for token in _TOKEN.findall(text):
        if token == "(":
            depth += 1
        elif token.endswith(")") and depth and not token.startswith("\\"):
            depth -= 1
        else:
            plain.append(token[1:] if token.startswith("\\") else token)
    return "".join(plain)


def read_infotext(path: Path) -> str:
    """The infotext in a picture: PNG, JPEG, WebP, AVIF or GIF; "" if there is none."""
    try:
        with Image.open(path) as image:
            found = image.info.get("parameters") or _user_comment(image)
            comment = image.info.get("comment", b"") if image.format == "GIF" else b""
    except Exception:  # Pillow's readers raise nearly anything on broken data
        return ""
    if not found and comment:
        found = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
    return str(found or "").strip("\0 \n")


def _user_comment(image: Image.Image) -> str:
    """The EXIF comment: eight bytes that name the encoding, then the text."""
    data = image.getexif().get_ifd(_EXIF_IFD).get(_USER_COMMENT, b"")
    if isinstance(data, str):
        return data
    kind, text = data[:8], data[8:]
    if kind.startswith(b"UNICODE"):
        big = text[0::2].count(0) > text[1::2].count(0)  # A1111 writes it so; others the other way
        return text.decode("utf-16-be" if big else "utf-16-le", "replace")
    return text.decode("utf-8", "replace") if kind.startswith((b"ASCII", b"\0")) else ""
