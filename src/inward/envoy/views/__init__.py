"""Views of answers in Envoy, for services without a guard: programs for its Lua filter, and that filter."""
