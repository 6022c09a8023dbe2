"""Models against suites: questions are asked, answers scored, and what came of each item is written down."""
