"""Nobody but the tests is on this machine: what they start asks for no token, and no training is followed by an
evaluation, unless a test is about it."""

import os

os.environ.setdefault("TUNESMITH_LOCAL_TOKEN", "0")
os.environ.setdefault("TUNESMITH_RETENTION", "0")
