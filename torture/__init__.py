"""What must hold whatever happens, put to the test at length: `make torture`.

Rule: a room here is one way in which the world is cruel. Each does its cruelty as often as it is told, so that the
suite under `tests/torture` runs the very same code, only shorter.
"""
