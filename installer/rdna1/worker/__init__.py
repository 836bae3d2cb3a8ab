"""The process that may die of a convolution, and what outlives it.

::

    the command (supervisor.py, workers.py, process.py): deadlines, outcomes
    `- template (template.py): has imported torch, uses no device
       `- reaper (reaper.py), one for each worker: ends with the command, kills its own
          `- worker (worker.py): opens the device and runs the cases
"""
