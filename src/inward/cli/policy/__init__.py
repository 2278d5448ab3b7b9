"""The commands of `inward policy`: what is done with policies before anybody relies on them."""
