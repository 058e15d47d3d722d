/* Numbers of 106 bits as unevaluated pairs of doubles (Dekker 1971, Numer. Math. 18:224). */
#ifndef SURVIVALGPU_PAIR_H
#define SURVIVALGPU_PAIR_H

#include "kernels.h"

typedef struct {
    double high, low;
} Pair;

/* Knuth's error-free sum of two doubles, then renormalised. */
INLINE Pair add_double(Pair a, double b)
{
    double sum = a.high + b, part = sum - a.high;
    double error = (a.high - (sum - part)) + (b - part) + a.low;
    Pair result = {sum + error, 0.0};
    result.low = error - (result.high - sum);
    return result;
}

INLINE Pair add_pair(Pair a, Pair b)
{
    double sum = a.high + b.high, part = sum - a.high;
    double error = (a.high - (sum - part)) + (b.high - part) + (a.low + b.low);
    Pair result = {sum + error, 0.0};
    result.low = error - (result.high - sum);
    return result;
}

#endif
