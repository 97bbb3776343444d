// ---- All parameters at once.  Block b works on chunk number[b], of `chunk` elements, of array owner[b].

// arrays, (2, count): where the means lie, and what they move towards by a share.
extern "C" __global__ void weight_average(const Address* arrays, const Int* sizes, int count, const int* owner,
                                          const int* number, int chunk, REAL share) {
    int which = owner[blockIdx.x];
    REAL* mean = (REAL*)arrays[which];
    const REAL* p = (const REAL*)arrays[count + which];
    Int start = (Int)number[blockIdx.x] * chunk, size = sizes[which];
    Int end = start + chunk < size ? start + chunk : size;
    for (Int i = start + threadIdx.x; i < end; i += blockDim.x) mean[i] += share * (p[i] - mean[i]);
}
