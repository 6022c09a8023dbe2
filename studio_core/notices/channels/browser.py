"""Notifications by the browser, while any page of the studio is open: pages fetch what is new (``/api/notices``)."""

from __future__ import annotations

from studio_core.base.studio import Studio
from studio_core.notices.channels.base import Channel


def check(studio: Studio, target: str) -> str:
    """It needs no target: it is every browser in which its owner has allowed notifications."""
    return ""


CHANNEL = Channel("browser", check, send=None)
