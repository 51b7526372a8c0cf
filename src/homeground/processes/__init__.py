"""Who does the work: processes that this one starts, the cores that they may use, and the share of each.

May import only the files at the root.
"""
