"""All that needs CuPy beyond the ops' own kernels: the device, CUDA graphs, NCCL, and what a GPU reaches.

Only ``enable.py`` imports CuPy; the others are handed the module, so that the tests can hand them a stand-in.
"""
