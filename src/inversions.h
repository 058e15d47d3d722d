/* Inversions of records that stand in the order of a predictor and have a place in time. */
#ifndef SURVIVALGPU_INVERSIONS_H
#define SURVIVALGPU_INVERSIONS_H

#include "kernels.h"

/* A record: its place (30 bits), whether a row starts there or ends, whether with an event,
 * and its count (32 bits). */
#define PLACE_SHIFT 34
#define MOST_RECORDS ((int64_t)1 << 30)
#define IS_START ((uint64_t)1 << 33)
#define IS_EVENT ((uint64_t)1 << 32)

/*
 * Add to the count of every record the number of its inversions: of the records before it
 * whose place is higher, less the starts among them, if it is an event; and of the events
 * after it whose place is lower. The places are 0 .. n - 1, each once. On return the records
 * are in the order of their places, in the array that is returned.
 */
uint64_t *count_inversions(uint64_t *records, uint64_t *other, int64_t n, int n_threads);

/* `place` is a permutation of 0 .. n - 1. In the order of the places: the sum of `early` over the
 * records before whose place is higher, of `late` over those after whose place is lower. */
int inversion_sums(const int64_t *place, const int64_t *early, const int64_t *late, int64_t n,
                   int64_t *of_early, int64_t *of_late, int n_threads);

/* Sort records by place; `other` has room for n. */
void sort_by_place(uint64_t *records, uint64_t *other, int64_t n);

#endif
