// ---- Softmax cross-entropy: loss_b = -sum_k target_bk log softmax(logits_b)_k

// The target is a class number, or a row of probabilities where `soft`; then a share `smoothing` of it is spread evenly.
__device__ REAL target(const Int* labels, const REAL* probabilities, int soft, REAL smoothing, Int row, int k,
                       int classes) {
    REAL t = soft ? probabilities[row * classes + k] : REAL(labels[row] == k);
    return t * (1 - smoothing) + smoothing / classes;
}

// saved, (rows, 3): the largest logit, the log of the sum of exp(logit - largest), the sum of the targets.
extern "C" __global__ void cross_entropy_forward(const REAL* logits, const Int* labels, const REAL* probabilities,
                                                 int soft, REAL smoothing, REAL* losses, REAL* saved, Int rows,
                                                 int classes) {
    Int row = (Int)blockIdx.x * blockDim.y + threadIdx.y;
    bool inside = row < rows;
    if (!inside) row = 0;
    const REAL* in = logits + row * classes;
    REAL largest = in[0];
    for (int k = threadIdx.x; k < classes; k += blockDim.x) largest = in[k] > largest ? in[k] : largest;
    largest = row_max(largest);
    REAL sum = 0;
    for (int k = threadIdx.x; k < classes; k += blockDim.x) sum += exp(in[k] - largest);
    REAL log_sum = log(row_sum(sum));
    REAL loss = 0, mass = 0;
    for (int k = threadIdx.x; k < classes; k += blockDim.x) {
        REAL t = target(labels, probabilities, soft, smoothing, row, k, classes);
        if (t != 0) loss += t * (log_sum - (in[k] - largest));       // 0 times infinity is 0 here
        mass += t;
    }
    loss = row_sum(loss);
    mass = row_sum(mass);
    if (!inside || threadIdx.x > 0) return;
    losses[row] = loss;
    saved[row * 3] = largest;
    saved[row * 3 + 1] = log_sum;
    saved[row * 3 + 2] = mass;
}

extern "C" __global__ void cross_entropy_backward(const REAL* gy, const REAL* logits, const Int* labels,
                                                  const REAL* probabilities, int soft, REAL smoothing,
                                                  const REAL* saved, REAL* gx, Int rows, int classes) {
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < rows * classes; i += (Int)gridDim.x * blockDim.x) {
        Int row = i / classes;
        REAL p = exp(logits[i] - saved[row * 3] - saved[row * 3 + 1]);
        REAL t = target(labels, probabilities, soft, smoothing, row, i % classes, classes);
        gx[i] = gy[0] * (p * saved[row * 3 + 2] - t);
    }
}
