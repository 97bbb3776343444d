"""All that needs CuPy beyond the ops' own kernels: the device, CUDA graphs, NCCL, and what a GPU reaches."""
