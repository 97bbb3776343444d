"""All that needs CuPy beyond the ops' own kernels: the device, the check of its kernels, CUDA graphs, NCCL, rates.

Only ``enable.py`` imports CuPy; the others are handed the module, so that the tests can hand them a stand-in.
"""
