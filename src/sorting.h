/* Sorting and ranking shared by the kernels. */
#ifndef SURVIVALGPU_SORTING_H
#define SURVIVALGPU_SORTING_H

#include "kernels.h"

/* Sort `keys` in place and move `rows` with them; equal keys keep their order. Only the
 * lowest `bits` of the keys count. Returns 1 if memory ran out. */
int radix_sort(uint64_t *keys, uint32_t *rows, int64_t n, int bits, int n_threads);

/* The same for keys of at most 32 bits that carry their row below them, as one integer: most
 * sorts are of this kind, and move a third less. Only `bits` bits of the keys count. */
#define PACKED_SHIFT 32
int sort_packed(uint64_t *items, int64_t n, int bits, int n_threads);

/* Number of bits of an integer. */
int bits_of(uint64_t largest);

/* Distinct values[i] with wanted[i] != 0, ascending; their number, -1 if memory ran out. */
int64_t distinct_doubles(const double *values, const uint8_t *wanted, int64_t n, double *distinct,
                         int n_threads);

/* Ascending distinct times under a grid of cells, which narrows a search to a few of
 * them. The grid's arithmetic is monotone, so a time in a later cell is a later time. */
typedef struct {
    const double *times;
    int64_t n_cells;
    double low, per_unit;
    int64_t *first; /* n_cells + 1: first time at or after the start of each cell */
} Grid;

/* Returns 1 if memory ran out; `first` is the caller's to free. */
int make_grid(Grid *grid, const double *times, int64_t n_times);

INLINE int64_t cell_of(const Grid *grid, double value)
{
    double cell = (value - grid->low) * grid->per_unit;
    if (!(cell > 0)) return 0;
    return cell < (double)(grid->n_cells - 1) ? (int64_t)cell : grid->n_cells - 1;
}

INLINE int64_t times_at_most(const Grid *grid, double value)
{
    int64_t cell = cell_of(grid, value), from = grid->first[cell], to = grid->first[cell + 1];
    while (from < to) {
        int64_t middle = from + (to - from) / 2;
        if (grid->times[middle] <= value)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

#endif
