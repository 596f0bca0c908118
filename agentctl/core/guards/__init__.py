"""One guard per file.

`Rules`, `State`, `apply`, `check`. A shared shape, no base class; guards never import each other.
"""
