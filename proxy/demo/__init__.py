"""The embedded upstream: what the demo, the tests and newcomers talk to when there is no real API."""
