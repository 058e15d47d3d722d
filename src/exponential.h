/*
 * exp() of many numbers, in a form that compilers vectorise.
 *
 * exp(x) = 2^k exp(r) with k the integer nearest to x / log 2, and r = x - k log 2 found with
 * log 2 in two parts (Cody and Waite 1980, Software Manual for the Elementary Functions,
 * chapter 6). |r| < 0.35, where the series of exp to r^13 / 13! is good to 1e-17.
 */
#ifndef SURVIVALGPU_EXPONENTIAL_H
#define SURVIVALGPU_EXPONENTIAL_H

#include <string.h>

#include "kernels.h"

/* Beyond this, 2^k may not be a normal number. */
#define EXP_LIMIT 700.0

/* exp(x) for |x| <= EXP_LIMIT, to one unit in the last place or so; exp(0) is 1. */
INLINE double exp_within_limit(double x)
{
    /* added to this, a number is rounded to an integer, found in the sum's lowest bits */
    const double rounder = 0x1.8p52, shifted = x * 0x1.71547652b82fep+0 + rounder;
    const double k = shifted - rounder;
    const double r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
    double series = 1.0 / 6227020800.0, power;
    uint64_t bits;
    series = series * r + 1.0 / 479001600.0;
    series = series * r + 1.0 / 39916800.0;
    series = series * r + 1.0 / 3628800.0;
    series = series * r + 1.0 / 362880.0;
    series = series * r + 1.0 / 40320.0;
    series = series * r + 1.0 / 5040.0;
    series = series * r + 1.0 / 720.0;
    series = series * r + 1.0 / 120.0;
    series = series * r + 1.0 / 24.0;
    series = series * r + 1.0 / 6.0;
    series = series * r + 0.5;
    series = series * r + 1.0;
    series = series * r + 1.0;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    memcpy(&power, &bits, sizeof power);
    return series * power;
}

#endif
