// What a block of CUDA threads is, for a C++ compiler: threads are fibers that take turns, and change at barriers only.
// A barrier that only some threads of a block reach is reported.  Blocks run one after the other.  A shuffle makes the
// whole block wait, not its warp alone: a barrier that is missing just in front of one is not noticed.

#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#include <setjmp.h>
#include <ucontext.h>

using std::erf; using std::exp; using std::log; using std::sqrt; using std::tanh;

#define __global__
#define __device__ static
#define __shared__ static
#define DYNAMIC_SHARED(name) REAL* name = (REAL*)dynamic_shared.data()

struct Index { int x = 1, y = 1; };
static Index threadIdx, blockIdx, blockDim, gridDim;
static std::vector<char> dynamic_shared;

static const size_t STACK = 1 << 16;
static ucontext_t scheduler, fibers[1024];          // to start a fiber; later changes need no system call:
static jmp_buf to_scheduler, to_fiber[1024];
static std::vector<char> stacks(1024 * STACK);
static bool started[1024], done[1024];
static int current;
static void (*body)(void**);
static void** body_arguments;

static void leave() {
    if (!_setjmp(to_fiber[current])) _longjmp(to_scheduler, 1);
}

static void enter() {
    if (_setjmp(to_scheduler)) return;
    if (started[current]) _longjmp(to_fiber[current], 1);
    started[current] = true;
    swapcontext(&scheduler, &fibers[current]);
}

static void __syncthreads() { leave(); }

static void fiber() {
    body(body_arguments);
    done[current] = true;
    leave();
}

template <class T> T __shfl_xor_sync(unsigned, T value, int offset) {
    static T lanes[1024];
    lanes[current] = value;
    leave();
    T other = lanes[current ^ offset];
    leave();
    return other;
}

// Threads change at barriers only, so nobody comes between reading and writing.
static int atomicAdd(int* place, int value) { return std::exchange(*place, *place + value); }
static int atomicMin(int* place, int value) { return std::exchange(*place, value < *place ? value : *place); }
static int atomicMax(int* place, int value) { return std::exchange(*place, value > *place ? value : *place); }

static const char* run_block(bool backwards) {
    int threads = blockDim.x * blockDim.y;
    std::memset(dynamic_shared.data(), 0xff, dynamic_shared.size());        // NaN: nothing is zero by itself
    for (int i = 0; i < threads; i++) {
        started[i] = done[i] = false;
        getcontext(&fibers[i]);
        fibers[i].uc_stack.ss_sp = &stacks[i * STACK];
        fibers[i].uc_stack.ss_size = STACK;
        fibers[i].uc_link = nullptr;
        makecontext(&fibers[i], fiber, 0);
    }
    for (int finished = 0; finished < threads;) {
        finished = 0;
        for (int turn = 0; turn < threads; turn++) {
            current = backwards ? threads - 1 - turn : turn;
            if (done[current]) return "threads of one block are at different barriers";
            threadIdx.x = current % blockDim.x;
            threadIdx.y = current / blockDim.x;
            enter();
            finished += done[current];
        }
        if (finished && finished < threads) return "a barrier is not reached by all threads of the block";
    }
    return nullptr;
}

template <class T> std::string code() {
    if constexpr (std::is_pointer_v<T>) return "*" + code<std::remove_cv_t<std::remove_pointer_t<T>>>();
    else if constexpr (std::is_same_v<T, float>) return "f";
    else if constexpr (std::is_same_v<T, double>) return "d";
    else if constexpr (std::is_same_v<T, int>) return "i";
    else if constexpr (std::is_same_v<T, long long>) return "q";
    else if constexpr (std::is_same_v<T, unsigned char>) return "B";
    else return "Q";
}

// One launch of a kernel; `codes` are the types of the arguments that were given.
template <auto kernel> struct Launch;
template <class... A, void (*kernel)(A...)> struct Launch<kernel> {
    template <size_t... I> static void call(void** arguments, std::index_sequence<I...>) {
        kernel(*(A*)arguments[I]...);
    }
    static void with(void** arguments) { call(arguments, std::index_sequence_for<A...>()); }

    static const char* run(int blocks, int across, int down, size_t shared, const char* codes, void** arguments,
                           bool backwards) {
        static std::string message;
        message = (std::string() + ... + code<A>());
        if (message != codes) return (message = "expected arguments " + message + ", got " + codes).c_str();
        blockDim.x = across, blockDim.y = down, gridDim.x = blocks;
        dynamic_shared.resize(shared);
        body = with;
        body_arguments = arguments;
        for (int i = 0; i < blocks; i++) {
            blockIdx.x = backwards ? blocks - 1 - i : i;
            if (const char* error = run_block(backwards)) return error;
        }
        return nullptr;
    }
};
