"""A student's file as people have it: bytes to text, notebooks to cells, IPython to Python, and running it all."""
