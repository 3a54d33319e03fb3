"""What llmtape costs, as ratios against a bare handler that does the same I/O in the same run.

Rule: load, upstream and the thing measured are processes of their own; absolute times depend on the machine, so
that each figure stands beside its ceiling, and no test asserts one.
"""
