"""How an option is declared, shown and checked: one way for methods, tunings, operations on data and what follows.

Options are one pydantic class whose fields are made by ``option``. From it come the form, the command line, the
validation, the reference and what a job's spec holds; there is no second description of any of them.
"""

from studio_core.options.declaration import ChoicesOf, Kind, OptionField, fields, option
from studio_core.options.part import Part
from studio_core.options.values import checked, parsed, short, written

__all__ = [
    "ChoicesOf",
    "Kind",
    "OptionField",
    "Part",
    "checked",
    "fields",
    "option",
    "parsed",
    "short",
    "written",
]
