"""Files of tests of other programs, read as items that say themselves what is right. A file is data, never code."""
