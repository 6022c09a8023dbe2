#!/bin/sh
# Makes sure that there is a Chromium: the system's, else the package manager's when root, else Playwright's own.
# The shell is the same browser without windows of its own, and costs the tests a fifth less.
for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ -n "${CHROMIUM:-}" ] && [ -x "$CHROMIUM" ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq chromium-headless-shell fonts-noto-cjk >/dev/null && exit 0
    apt-get install -y -qq chromium fonts-noto-cjk >/dev/null && exit 0
fi
exec .venv/bin/playwright install chromium
