"""The cassette: one SQLite file of interactions. The only room that knows SQL."""
