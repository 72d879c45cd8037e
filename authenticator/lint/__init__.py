"""What is wrong with mappings, or likely not what was meant: rules, each with an id."""
