"""Programs of others, run in a sandbox: what a model wrote, what a person wrote as a reward, what tests an answer.

``run.run`` is the interface. Each program gets a process tree of its own without network, files, rights or
secrets, which ends as a whole. The modules below ``confine`` are read by a bare interpreter: standard library
only, and nothing here is imported for them, since their start is most of what a short program costs.
"""
