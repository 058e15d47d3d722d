/* The passes for processors with AVX2 and fused multiply-add. */
#include "kernels.h"

#ifdef PASS_BY_PROCESSOR
#pragma GCC optimize("O3")
#pragma GCC target("avx2,fma")
#define WORK resampled_work_avx2
#include "resampled_passes.h"
#endif
