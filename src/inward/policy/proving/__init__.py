"""What holds for every request there is: guardrails proven or refuted, policies that do nothing, policies compared."""
