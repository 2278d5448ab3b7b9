"""The services of shop.internal: ordinary programs that know nothing of Inward."""
