"""What people are told of runs while they are elsewhere, and links that show one run to others.

A channel is one file of ``channels``, a rule one row of ``rules``. ``outbox`` writes what is due and sends it;
``register`` is what pages and commands call.
"""
