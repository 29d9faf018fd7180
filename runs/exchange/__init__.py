"""What goes out of the product and comes into it, a file per format."""
