// out[p, c] = sum over the rows r of part p of in[r, c].  Blocks of 32 x 8 threads, one for 32 columns of a part.
extern "C" __global__ void column_sums(const REAL* in, REAL* out, Int rows, int columns, int parts) {
    __shared__ REAL sums[8][32];
    int across = (columns + 31) / 32, part = blockIdx.x / across, c = blockIdx.x % across * 32 + threadIdx.x;
    REAL sum = 0;
    if (c < columns)
        UNROLL for (Int r = part * 8 + threadIdx.y; r < rows; r += 8 * parts) sum += in[r * columns + c];
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || c >= columns) return;
    for (int i = 1; i < 8; i++) sum += sums[i][threadIdx.x];
    out[(Int)part * columns + c] = sum;
}
