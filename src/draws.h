/* Counter-based random numbers, and permutations made of them. */
#ifndef SURVIVALGPU_DRAWS_H
#define SURVIVALGPU_DRAWS_H

#include "kernels.h"

/* Subjects within which to draw; codes NULL and n_strata 0 where all are one stratum. */
typedef struct {
    const int32_t *codes;   /* n: stratum of each subject */
    const int32_t *offsets; /* n_strata + 1: members of each stratum */
    const int32_t *members; /* n: subjects by stratum, ascending within each */
    int64_t n_strata;
} Strata;

#define GOLDEN_GAMMA UINT64_C(0x9E3779B97F4A7C15)

/* The mixing function of SplitMix64. */
INLINE uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* The key of replicate b's draws. */
INLINE uint64_t stream(uint64_t base, int64_t b)
{
    return mix(base + (uint64_t)(b + 1) * GOLDEN_GAMMA);
}

/* Draw i: 64 bits. */
INLINE uint64_t bits(uint64_t key, int64_t i)
{
    return mix(key + (uint64_t)(i + 1) * GOLDEN_GAMMA);
}

/* Draw i: a multiple of 2^-53 in [0, 1). Times a whole number n it rounds to less than n. */
INLINE double uniform(uint64_t key, int64_t i)
{
    return (double)(int64_t)(bits(key, i) >> 11) * 0x1p-53;
}

/* Draw i: an odd multiple of 2^-53 in (0, 1). */
INLINE double open_uniform(uint64_t key, int64_t i)
{
    return ((double)(int64_t)(bits(key, i) >> 12) + 0.5) * 0x1p-52;
}

/* Bytes that permute() needs. */
int64_t permutation_scratch(int64_t n);

/*
 * donors (n): subject i is given what belongs to donors[i], of its own stratum. The donors of
 * a stratum's members, in ascending order, are the members in random order.
 */
void permute(uint64_t key, int64_t n, const Strata *strata, char *scratch, int32_t *donors);

#endif
