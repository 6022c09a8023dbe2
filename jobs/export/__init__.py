"""Models as files for other programs: what ``studio_core.exports`` declares, carried out."""
