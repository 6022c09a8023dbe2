"""What people keep in order: runs, models, datasets, chats and projects, found, marked, renamed, deleted, all alike.

A kind of thing is one file here, and a line in ``things.THINGS``.
"""
