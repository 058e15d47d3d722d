/*
 * Weighted cumulative exposure: who is at risk at each event time, and what a history of
 * doses adds up to at a day, under each function of a basis. The twins are in
 * survivalgpu/wce.
 */
#include "kernels.h"

#define BLOCK_ROWS 4096
/* Columns whose sums are kept in registers; more take several turns. */
#define WIDEST 16

typedef struct {
    const int64_t *offsets;       /* subjects + 1: changes of dose of each */
    const int64_t *days;          /* the last day before each change, ascending by subject */
    const double *jumps, *levels; /* change of dose, and the dose after it */
    const double *table;          /* (cutoff + 1) x width: cumulated basis, then zeros */
    int64_t cutoff, n_functions, width;
    const int64_t *subject, *day; /* n */
    int64_t n;
    double *out; /* n x n_functions, rows `stride` apart */
    int64_t stride;
} Histories;

/* First of the changes [low, high) after `day`. */
INLINE int64_t first_after(const int64_t *days, int64_t low, int64_t high, int64_t day)
{
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (days[middle] > day)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* `lanes` columns of one row, from `column` on. A number known when this is compiled keeps
 * the sums in registers. */
INLINE void add_history(const Histories *all, int64_t row, int64_t column, int lanes)
{
    const int64_t day = all->day[row], first = all->offsets[all->subject[row]];
    const int64_t end = all->offsets[all->subject[row] + 1], width = all->width;
    const int64_t low = first_after(all->days, first, end, day - all->cutoff);
    const double *restrict table = all->table + column;
    const double inherited = low > first ? all->levels[low - 1] : 0.0;
    double total[WIDEST];
    for (int j = 0; j < lanes; j++) total[j] = inherited * table[all->cutoff * width + j];
    for (int64_t change = low; change < end && all->days[change] < day; change++) {
        const double *restrict basis = table + (day - all->days[change]) * width;
        const double jump = all->jumps[change];
        for (int j = 0; j < lanes; j++) total[j] += jump * basis[j];
    }
    const int64_t left = all->n_functions - column;
    double *restrict out = all->out + row * all->stride + column;
    for (int j = 0; j < lanes && j < left; j++) out[j] = total[j];
}

VECTORISED static void fill_rows(void *context, int64_t block)
{
    const Histories *all = context;
    const int64_t start = block * BLOCK_ROWS;
    const int64_t end = start + BLOCK_ROWS < all->n ? start + BLOCK_ROWS : all->n;
    int64_t column = 0;
    for (; column + WIDEST <= all->width; column += WIDEST)
        for (int64_t row = start; row < end; row++) add_history(all, row, column, 16);
    if (column + 8 <= all->width) {
        for (int64_t row = start; row < end; row++) add_history(all, row, column, 8);
        column += 8;
    }
    if (column < all->width)
        for (int64_t row = start; row < end; row++) add_history(all, row, column, 4);
}

/* The width of the table is a multiple of 4. */
void artificial_covariates(const int64_t *offsets, const int64_t *days, const double *jumps,
                           const double *levels, const double *table, int64_t cutoff,
                           int64_t n_functions, int64_t width, const int64_t *subject,
                           const int64_t *day, int64_t n, double *out, int64_t stride,
                           int n_threads)
{
    Histories all = {offsets, days,    jumps, levels, table, cutoff, n_functions,
                     width,   subject, day,   n,      out,   stride};
    run_blocks(fill_rows, &all, (n + BLOCK_ROWS - 1) / BLOCK_ROWS, n_threads);
}

/* The rows whose range low <= k < high holds each k, one k after another; `cursors` tells
 * where the rows of each begin, and is used up. */
void rows_by_number(const int64_t *low, const int64_t *high, int64_t n, int64_t *cursors,
                    int64_t *rows)
{
    for (int64_t row = 0; row < n; row++)
        for (int64_t k = low[row]; k < high[row]; k++) rows[cursors[k]++] = row;
}
