"""Which of Gradio's files a page needs, so that its document can name them before Gradio's script finds them.

The script loads the code of each kind of component when it first meets one, and puts a style sheet into the document
for it: some forty in turn, each of which has the browser work out the looks of the whole page again. Those that
stand in the document already are not loaded a second time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import gradio

FRONTEND = Path(gradio.__file__).parent / "templates" / "frontend"

_FILES = re.compile(r"m\.f=\[([^\]]*)\]")
_KIND = re.compile(r"[{,]([a-z0-9_]+):\{(?=\w+:\(\)=>)")
_NEEDED = re.compile(r"__vite__mapDeps\(\[([\d,]*)\]\)")


@dataclass(frozen=True)
class Entry:
    """Addresses, relative to the document, of the script and the style sheet that start Gradio."""

    script: str
    style: str


@cache
def entry() -> Entry:
    """As Gradio's own document names them; raises ``RuntimeError`` if it does not."""
    document = (FRONTEND / "index.html").read_text(encoding="utf-8")
    script = re.search(r'<script type="module" crossorigin src="([^"]+)"', document)
    style = re.search(r'<link rel="stylesheet" crossorigin href="([^"]+)"', document)
    if script is None or style is None:
        raise RuntimeError("Gradio's document has changed: its script or style sheet was not found")
    return Entry(script[1], style[1])


def styles(kinds: Iterable[str]) -> Sequence[str]:
    """Addresses of the style sheets that the page's frame and components of these kinds bring, in a lasting order.

    Empty where Gradio's script is written otherwise than today: then the script loads them, as it would anyway.
    """
    known = _styles_of_kinds()
    needed = dict.fromkeys(style for kind in ("", *sorted(set(kinds))) for style in known.get(kind, ()))
    needed.pop(entry().style, None)  # It stands at the head of the document.
    return list(needed)


@cache
def _styles_of_kinds() -> dict[str, tuple[str, ...]]:
    """By kind of component; those of the frame have none."""
    assets = FRONTEND / "assets"
    frame = [*_files(_text("index-*.js")), *(sheet.name for sheet in assets.glob("Blocks-*.css"))]
    known = {"": _sheets(frame)}
    text = _text("core-*.js")
    files = _files(text)
    _, *parts = _KIND.split(text)
    for kind, part in zip(parts[::2], parts[1::2], strict=True):
        # Gradio's bundle is read with patterns, since it says nowhere else
        # what a component loads; a new version may need new ones.
        numbers = ",".join(_NEEDED.findall(part.split("}", 1)[0])).split(",")
        known[kind] = _sheets(files[int(number)] for number in numbers if number and int(number) < len(files))
    return known


def _text(pattern: str) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted((FRONTEND / "assets").glob(pattern)))


def _files(script: str) -> list[str]:
    """What a script of Gradio's may load, by the numbers under which it names them."""
    listed = _FILES.search(script)
    return re.findall(r'"\./([^"]+)"', listed[1]) if listed else []


def _sheets(files: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"./assets/{name}" for name in files if name.endswith(".css"))
