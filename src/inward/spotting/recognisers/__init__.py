"""What tells the kinds of data apart, a module for each family of them."""
