/* Parts of the partial likelihood's kernels that are not in a hot loop. */
#include <math.h>

#include "cox.h"

static void add_square(double *square, const double *padded_square, int p)
{
    const int width = padded(p);
    for (int i = 0; i < p; i++) {
        for (int j = i; j < p; j++) {
            square[i * p + j] += padded_square[i * width + j];
            if (j > i) square[j * p + i] += padded_square[i * width + j];
        }
    }
}

void sum_shares(const double *memory, int64_t n_shares, int p, CoxResult *result)
{
    const int64_t square = (int64_t)padded(p) * padded(p);
    for (int64_t share = 0; share < n_shares; share++) {
        const double *score = memory + share * share_size(p);
        for (int j = 0; j < p; j++) result->score[j] += score[j];
        add_square(result->second, score + p, p);
        add_square(result->outer, score + p + square, p);
    }
}
