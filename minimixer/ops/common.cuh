// The fused kernels of kernels/cuda.py.  REAL is float or double: the file is compiled once for each.
//
// Every sum is added up in an order that the launch fixes, without atomics: equal inputs give equal bits.
// Where rows are summed, a block is blockDim.y rows of blockDim.x threads, blockDim.x a multiple of 32 (a warp).

#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(name) extern __shared__ REAL name[]
#endif

// Lets the compiler start the loads of four rounds at once; the order of the sum stays.
#define UNROLL _Pragma("unroll 4")

typedef long long Int;
typedef unsigned long long Address;

// Sum of `value` over threadIdx.x; every thread of the block must call it, and all of a row get the same bits.
__device__ REAL row_sum(REAL value) {
    __shared__ REAL of_warp[32];
    for (int offset = 16; offset > 0; offset /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    int warps = blockDim.x / 32;
    if (warps == 1) return value;
    REAL* mine = of_warp + threadIdx.y * warps;
    __syncthreads();                            // everyone has read the sums of the last call
    if (threadIdx.x % 32 == 0) mine[threadIdx.x / 32] = value;
    __syncthreads();
    value = 0;
    for (int i = 0; i < warps; i++) value += mine[i];
    return value;
}

// Largest `value` over threadIdx.x, likewise.
__device__ REAL row_max(REAL value) {
    __shared__ REAL of_warp[32];
    for (int offset = 16; offset > 0; offset /= 2) {
        REAL other = __shfl_xor_sync(0xffffffffu, value, offset);
        value = other > value ? other : value;
    }
    int warps = blockDim.x / 32;
    if (warps == 1) return value;
    REAL* mine = of_warp + threadIdx.y * warps;
    __syncthreads();
    if (threadIdx.x % 32 == 0) mine[threadIdx.x / 32] = value;
    __syncthreads();
    value = mine[0];
    for (int i = 1; i < warps; i++) value = mine[i] > value ? mine[i] : value;
    return value;
}
