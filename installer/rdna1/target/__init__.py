"""What runs on bare machines: Python 3.8, standard library, relative imports.

`homes` is the one way into a folder of somebody else: whatever lies below a home, or is named by
a file in one, is reached through it.
"""
