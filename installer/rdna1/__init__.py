"""Judge, provision, measure and guard PyTorch machines with an RDNA1 card.

This file and ``rdna1.host`` travel to bare targets inside an Ansible module, so they
use the standard library of Python 3.8 alone.
"""
