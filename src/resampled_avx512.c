/* The passes for processors with AVX-512. */
#include "kernels.h"

#ifdef PASS_BY_PROCESSOR
#pragma GCC optimize("O3")
#pragma GCC target("avx512f,avx512dq,avx512vl,avx2,fma")
#define WORK resampled_work_avx512
#include "resampled_passes.h"
#endif
