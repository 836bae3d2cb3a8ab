"""The Python environments of a machine: built next to one another, switched by a link.

``PREFIX/STACK`` is a link to ``PREFIX/environments/STACK-IDENTITY``. A build that fails or is
killed leaves the link as it is. These modules travel to bare targets inside an Ansible module,
so they use the standard library of Python 3.8 alone and relative imports.
"""
