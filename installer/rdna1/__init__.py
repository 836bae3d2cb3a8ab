"""Judge, provision, measure and guard PyTorch machines with an RDNA1 card.

This file, ``rdna1.host`` and ``rdna1.environments`` travel to bare targets inside Ansible
modules, so they use the standard library of Python 3.8 alone.
"""
