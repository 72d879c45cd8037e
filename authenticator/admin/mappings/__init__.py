"""The verb `mappings`: list, edit, restore, import and export who may enter."""
