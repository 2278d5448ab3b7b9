"""Cedar conditions as formulas: an expression becomes a value and its exact error condition, for z3.

One thread at a time, of the whole process: all formulas are in the one context of z3, which no lock guards.
"""
