/*
 * Kernels of the CPU path: plain C on plain arrays, without R or Python.
 *
 * R compiles them into the package's shared object; Python calls that same file through
 * ctypes (survivalgpu/native.py). Each has a twin in plain PyTorch, which other devices
 * use and which the tests compare them with. Results never depend on the number of
 * threads: work is cut into blocks by the data alone and added up in their order.
 */
#ifndef SURVIVALGPU_KERNELS_H
#define SURVIVALGPU_KERNELS_H

#include <stdint.h>

/* Changes with every change of a signature: Python takes no other version. */
#define SURVIVALGPU_KERNELS_VERSION 3

/* The compiler makes one copy for plain x86-64 and one for processors with AVX2 and fused
 * multiply-add; the loader picks. Older compilers can only name Intel's. Other platforms compile
 * the one copy they need. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#if __GNUC__ >= 12
#define WITH_AVX2 "arch=x86-64-v3"
#else
#define WITH_AVX2 "arch=haswell"
#endif
#define VECTORISED __attribute__((target_clones(WITH_AVX2, "default"), optimize("O3")))
#else
#define VECTORISED
#endif

/* Where the compiler makes code for other processors than the one it is asked for. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define PASS_BY_PROCESSOR
#endif

#define INLINE static inline __attribute__((always_inline))

/* Run task(context, block) for block = 0 .. n_blocks - 1 on up to n_threads threads. */
void run_blocks(void (*task)(void *context, int64_t block), void *context, int64_t n_blocks,
                int n_threads);

#endif
