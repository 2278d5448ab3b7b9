"""Resources: the objects that only a service knows (an order, an account), as policies may speak of them."""
