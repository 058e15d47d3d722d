/* Order and dense ranks of doubles. */
#ifndef SURVIVALGPU_RANKING_H
#define SURVIVALGPU_RANKING_H

#include "kernels.h"

/* Sort keys stably by their bits low_bit .. low_bit + bits - 1; the result may end up in either
 * array, and is returned. */
uint64_t *sort_words(uint64_t *words, uint64_t *other, int64_t n, int low_bit, int bits,
                     int n_threads);

/*
 * Stable ascending order of n < 2^31 finite doubles, and the dense rank, from 0, of each place
 * of that order. The highest bit of a row in the order is its mark, 0 without marks. Returns 1
 * if memory ran out.
 */
int rank_doubles(const double *values, const uint8_t *marks, int64_t n, uint32_t *order,
                 uint32_t *rank, int n_threads);

/* Bring places into ascending order of the codes of their rows, stably. 1: no memory. */
int split_by_code(const int64_t *codes, int64_t n_codes, int64_t n, uint32_t *order,
                  uint32_t *rank);

#endif
