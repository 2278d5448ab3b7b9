"""gRPC services in the catalog: `.proto` files and descriptor sets become operations with shapes of their messages."""
