"""The state of a machine before each provisioning, and the rollback to it.

A run of ``site.yml`` writes a record before its first change and another after its last one.
What differs between the two is the run's doing; everything else belongs to the machine's
owner. `rollback` undoes the first and leaves the second alone.

This sub-package travels to bare targets inside Ansible modules: standard library only,
Python 3.8 and later, relative imports only.
"""
