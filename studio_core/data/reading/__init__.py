"""One module for each kind of file, and what finds out which kind a file is."""
