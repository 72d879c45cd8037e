"""Mappings in the words of other tools, and in those of another source of ours.

Text goes in and entries come out, and back. What a format cannot say exactly is left out and noted:
whatever is converted grants a caller what it granted before, or nothing.
"""
