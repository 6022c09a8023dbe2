"""Who answers: one file for each. The loop of this program, and services that speak as OpenAI's chat completions do."""
