"""llmtape: a recording and replaying reverse proxy for OpenAI-style chat completions."""

__version__ = "0.1.0"
