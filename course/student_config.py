"""Copies for students: no solutions, and no outputs, which would give predictions away."""
c = get_config()  # noqa: F821
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = {"solution"}
c.ClearOutputPreprocessor.enabled = True
