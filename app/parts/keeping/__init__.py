"""Lists that are searched, marked and tidied, alike for runs, models, datasets, chats and projects."""
