"""Which AWS principals may enter, and as whom: rules, rule sets and the documents that hold them.

Pure: text, values and the time go in; immutable rules and reported problems come out.
"""
