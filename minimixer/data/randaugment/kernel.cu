// RandAugment on a GPU: each block changes one image by its own operation; reference.py defines the operations.
//
// The images equal those of a CPU bit for bit: sums are of integers, so their order does not matter, and the file must
// be compiled with --fmad=false, so that floats are rounded after the product and after the sum.

typedef unsigned char Level;

enum { IDENTITY, AUTOCONTRAST, EQUALIZE, SOLARIZE, POSTERIZE, COLOR, CONTRAST, BRIGHTNESS, SHARPNESS, AFFINE };
const int CHANNELS = 3;             // at most
const int FILL = 128;

// Brightness of a pixel: ITU-R 601-2 in integers.
__device__ int gray(const Level* pixel, int channels) {
    return channels == 1 ? pixel[0] : (19595 * pixel[0] + 38470 * pixel[1] + 7471 * pixel[2] + 32768) >> 16;
}

// Weights of 1 around a 5, over 13, rounded; border pixels do not change.
__device__ int smooth(const Level* in, int i, int height, int width, int channels) {
    int across = width * channels, y = i / across, x = i % across / channels;
    if (y == 0 || y == height - 1 || x == 0 || x == width - 1) return in[i];
    int sum = 4 * in[i];
    for (int down = -across; down <= across; down += across)
        sum += in[i + down - channels] + in[i + down] + in[i + down + channels];
    return (2 * sum + 13) / 26;
}

// changes, (B, 7): an operation, then the six integers of a geometry, the threshold of SOLARIZE, or the bits that
// POSTERIZE keeps; factors, (B): of the operations that blend.
extern "C" __global__ void randaugment(const Level* images, Level* changed, const int* changes, const float* factors,
                                       int height, int width, int channels) {
    __shared__ int table[CHANNELS * 256];       // new level of each level of a channel
    __shared__ int lowest[CHANNELS], highest[CHANNELS], brightness;
    int pixels = height * width, size = pixels * channels;
    const Level* in = images + (Int)blockIdx.x * size;
    Level* out = changed + (Int)blockIdx.x * size;
    const int* change = changes + 7 * blockIdx.x;
    int operation = change[0], first = threadIdx.x, step = blockDim.x;

    if (operation == AFFINE) {
        const int* m = change + 1;
        for (int i = first; i < pixels; i += step) {
            int x = i % width, y = i / width;
            int column = (m[0] * x + m[1] * y + m[2]) >> 16, row = (m[3] * x + m[4] * y + m[5]) >> 16;
            bool inside = 0 <= column && column < width && 0 <= row && row < height;
            for (int k = 0; k < channels; k++)
                out[i * channels + k] = inside ? in[(row * width + column) * channels + k] : FILL;
        }
        return;
    }

    // Every pixel has a part in what these need: the threads of a block wait for each other.
    if (first < channels) lowest[first] = 255, highest[first] = 0;
    if (first == 0) brightness = 0;
    for (int i = first; i < CHANNELS * 256; i += step) table[i] = 0;
    __syncthreads();
    if (operation == AUTOCONTRAST)
        for (int i = first; i < size; i += step) {
            atomicMin(&lowest[i % channels], (int)in[i]);
            atomicMax(&highest[i % channels], (int)in[i]);
        }
    if (operation == EQUALIZE)
        for (int i = first; i < size; i += step) atomicAdd(&table[i % channels * 256 + in[i]], 1);
    if (operation == CONTRAST) {
        int sum = 0;
        for (int i = first; i < pixels; i += step) sum += gray(in + i * channels, channels);
        atomicAdd(&brightness, sum);
    }
    __syncthreads();
    if (operation == AUTOCONTRAST)
        for (int i = first; i < channels * 256; i += step) {
            double low = lowest[i / 256], high = highest[i / 256], scale = 255 / (high > low ? high - low : 1);
            double level = i % 256 * scale + -low * scale;
            table[i] = high > low ? (int)(level < 0 ? 0 : level > 255 ? 255 : level) : i % 256;
        }
    if (operation == EQUALIZE && first < channels) {
        int* counts = table + first * 256;
        int brightest = 255, below = 0;
        while (counts[brightest] == 0) brightest--;
        int share = (pixels - counts[brightest]) / 255;
        for (int level = 0; level < 256; level++) {
            int count = counts[level], moved = share > 0 ? (share / 2 + below) / share : level;
            counts[level] = moved < 255 ? moved : 255;
            below += count;
        }
    }
    __syncthreads();

    int mean = (int)((2 * (Int)brightness + pixels) / (2 * (Int)pixels));
    for (int i = first; i < size; i += step) {
        int level = in[i], start = 0;
        switch (operation) {
            case IDENTITY: out[i] = level; continue;
            case AUTOCONTRAST: case EQUALIZE: out[i] = table[i % channels * 256 + level]; continue;
            case SOLARIZE: out[i] = level < change[1] ? level : 255 - level; continue;
            case POSTERIZE: out[i] = level & change[1]; continue;
            case COLOR: start = gray(in + i / channels * channels, channels); break;
            case CONTRAST: start = mean; break;
            case SHARPNESS: start = smooth(in, i, height, width, channels); break;
        }
        float mixed = (float)start + factors[blockIdx.x] * (float)(level - start);
        out[i] = (Level)(mixed < 0 ? 0 : mixed > 255 ? 255 : mixed);
    }
}
