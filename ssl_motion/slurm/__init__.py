"""Suites on a Slurm cluster, through submitit (`docs/slurm.md` is the how-to).

Every job of a suite is a Slurm job: `attempt` is what runs on the node, `queue` asks Slurm, `journal` remembers
which Slurm job does which job of the suite, and `executor` submits, waits and reports. The cluster needs nothing but
Slurm and a file system that all nodes share; accounting (sacct) is not used.
"""
