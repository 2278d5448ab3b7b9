"""Views of answers, as far as every enforcer needs the same: places, which answers can be viewed, and from when on."""
