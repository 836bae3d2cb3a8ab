"""What a machine is, as plain data.

`rdna1.target.facts.collect` reads files of the running machine, or of a tree under another root: a
mounted disk or a fixture. It changes nothing, uses no network, and asks one program: apt-cache.

This sub-package travels to bare targets inside Ansible modules: standard library only, Python 3.8
and later, relative imports only. It imports nothing here, as each module takes along what it
imports.
"""
