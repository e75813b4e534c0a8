"""The lab: the planner's push on Linux namespaces, FRR, eBPF and UFTP, measured.

Needs root, on Linux. Nothing here is imported by `mcastplan` but by its command line, when asked.
"""
