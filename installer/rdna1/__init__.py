"""Assess, provision, measure and guard PyTorch machines with an RDNA1 card.

This file, ``rdna1.target.facts`` and ``rdna1.target.venvs`` travel to bare targets inside Ansible
modules, so they use the standard library of Python 3.8 alone.
"""
