"""Scripts that another program's Python runs: the standard library and that program only, nothing of the studio."""
