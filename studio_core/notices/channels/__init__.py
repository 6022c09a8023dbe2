"""The ways to tell somebody; a file each."""

from __future__ import annotations

from studio_core.notices.channels import browser, mail, webhook
from studio_core.notices.channels.base import Channel

CHANNELS: dict[str, Channel] = {
    channel.name: channel for channel in (browser.CHANNEL, webhook.CHANNEL, mail.CHANNEL)
}
