"""Labelling: from items that people judge to records that a model learns from.

``projects`` what is asked; ``items`` what is shown; ``assignment`` who sees what next; ``votes`` what was
said, and taken back; ``agreement`` and ``winrate`` what it is worth; ``records`` what is made of it.
"""
