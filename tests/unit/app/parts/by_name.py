"""Handlers without a page: each component is its own name, so that updates are read by it."""

from __future__ import annotations


class ByName(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return name
