/* Several problems side by side: vectors of doubles, one element to a problem. */
#ifndef SURVIVALGPU_LANES_H
#define SURVIVALGPU_LANES_H

#include <string.h>

#include "kernels.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

/* As many as fit a register: GNU C makes poor code of longer vectors. */
#if defined(__AVX512F__)
#define N_LANES 8
#elif defined(__AVX2__)
#define N_LANES 4
#else
#define N_LANES 2
#endif

/* Vectors are passed by address only: by value, how depends on the processor. */
typedef double Lanes __attribute__((vector_size(N_LANES * sizeof(double))));
typedef int64_t LaneBits __attribute__((vector_size(N_LANES * sizeof(int64_t))));

/* a where the mask is set, else b. */
#define SELECT(mask, a, b) \
    ((Lanes)(((mask) & (LaneBits)(a)) | (~(mask) & (LaneBits)(b))))

/* One value in all lanes. */
#define ALL(value) ((Lanes){0} + (value))

/*
 * exp(x) to about one unit in the last place for |x| <= 708; anything beyond.
 * x = n log 2 + r, and a minimax polynomial of degree 11 for exp(r), |r| <= log(2) / 2.
 */
INLINE void exp_lanes(const Lanes *x, Lanes *result)
{
    const double shift = 0x1.8p52; /* adding it rounds to a whole number in the low bits */
    const Lanes shifted = *x * 0x1.71547652b82fep+0 + shift;
    const Lanes n = shifted - shift;
    Lanes r = *x - n * 0x1.62e42fefa0000p-1;
    r = r - n * 0x1.cf79abc9e3b3ap-40;
    Lanes y = ALL(0x1.ad66108cafa56p-26);
    y = y * r + 0x1.28b31c48ebd6dp-22;
    y = y * r + 0x1.71df453b57fd7p-19;
    y = y * r + 0x1.a01992c5b57bfp-16;
    y = y * r + 0x1.a01a011041631p-13;
    y = y * r + 0x1.6c16c18785410p-10;
    y = y * r + 0x1.1111111130e3dp-7;
    y = y * r + 0x1.555555554f35cp-5;
    y = y * r + 0x1.55555555554a2p-3;
    y = y * r + 0x1.0000000000010p-1;
    y = y * r + 1.0;
    y = y * r + 1.0;
    *result = (Lanes)((LaneBits)y + ((LaneBits)shifted << 52));
}

/*
 * log(x) for positive normal x: x = 2^n m with m in (0.70, 1.42), and the series of
 * log m = 2 atanh((m - 1) / (m + 1)).
 */
INLINE void log_lanes(const Lanes *x, Lanes *result)
{
    const LaneBits one = (LaneBits)ALL(1.0), root = (LaneBits)ALL(0x1.6a09e667f3bcdp-1);
    const LaneBits bits = (LaneBits)*x + (one - root);
    const LaneBits exponent = (bits >> 52) - 1023;
    const Lanes m = (Lanes)((bits & 0x000fffffffffffffLL) + root);
    /* small whole numbers to doubles through the low bits of one */
    const Lanes n = (Lanes)(exponent + (LaneBits)ALL(0x1.8p52)) - 0x1.8p52;
    const Lanes s = (m - 1.0) / (m + 1.0), z = s * s;
    Lanes y = ALL(2.0 / 23);
    y = y * z + 2.0 / 21;
    y = y * z + 2.0 / 19;
    y = y * z + 2.0 / 17;
    y = y * z + 2.0 / 15;
    y = y * z + 2.0 / 13;
    y = y * z + 2.0 / 11;
    y = y * z + 2.0 / 9;
    y = y * z + 2.0 / 7;
    y = y * z + 2.0 / 5;
    y = y * z + 2.0 / 3;
    *result = n * 0x1.62e42fefa0000p-1 + (n * 0x1.cf79abc9e3b3ap-40 + (y * z * s + 2.0 * s));
}

/* Bytes to doubles. */
INLINE void lanes_from_bytes(const uint8_t *bytes, Lanes *result)
{
#if defined(__AVX512F__)
    const __m128i packed = _mm_loadl_epi64((const void *)bytes);
    const __m512d wide = _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(packed));
    memcpy(result, &wide, sizeof wide);
#elif defined(__AVX2__)
    int32_t four;
    memcpy(&four, bytes, sizeof four);
    const __m256d wide = _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four)));
    memcpy(result, &wide, sizeof wide);
#else
    for (int lane = 0; lane < N_LANES; lane++) (*result)[lane] = bytes[lane];
#endif
}

#endif
