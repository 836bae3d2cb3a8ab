"""Machines whose owners reported a fault, and others of the same kinds.

``PYTHONPATH=tests python -m support.field`` prints what is said of each.
"""
