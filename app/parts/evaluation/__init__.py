"""The Evaluate page's parts: the form, the report of one evaluation, its items, and the leaderboard."""
