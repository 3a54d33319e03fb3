"""`python -m proxy` is `llmtape`."""

from proxy.cli import main

main(prog_name="llmtape")
