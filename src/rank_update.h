/* Sums of c u u' over many vectors u, a panel of them at a time. */
#ifndef SURVIVALGPU_RANK_UPDATE_H
#define SURVIVALGPU_RANK_UPDATE_H

#include "kernels.h"

#define PANEL 32  /* vectors added up at once */
#define LANES 4   /* length of vectors is padded to a multiple of this */
#define MAX_COVARIATES 256

INLINE int padded(int p) { return (p + LANES - 1) / LANES * LANES; }

/* `total` is padded(p) x padded(p); its upper triangle (and some more) is kept up. */
typedef struct {
    double *total;
    int p, width, filled;
    double u[PANEL * MAX_COVARIATES], cu[PANEL * MAX_COVARIATES];
} RankUpdate;

INLINE void start_update(RankUpdate *update, double *total, int p)
{
    update->total = total;
    update->p = p;
    update->width = padded(p);
    update->filled = 0;
}

/* A tile of 4 x LANES sums stays in registers while the panel passes by. */
INLINE void flush_update(RankUpdate *update)
{
    const int width = update->width, filled = update->filled;
    for (int i = 0; i < width; i += 4) {
        for (int j = i / LANES * LANES; j < width; j += LANES) {
            double sums[4][LANES] = {{0}};
            for (int q = 0; q < filled; q++) {
                const double *left = update->cu + q * width + i, *right = update->u + q * width + j;
                for (int a = 0; a < 4; a++)
                    for (int b = 0; b < LANES; b++) sums[a][b] += left[a] * right[b];
            }
            for (int a = 0; a < 4; a++)
                for (int b = 0; b < LANES; b++) update->total[(i + a) * width + j + b] += sums[a][b];
        }
    }
    update->filled = 0;
}

/* Add c u u'. */
INLINE void add_outer(RankUpdate *update, double c, const double *restrict u)
{
    const int p = update->p, width = update->width;
    if (p == 1) {
        update->total[0] += c * u[0] * u[0];
        return;
    }
    double *restrict to = update->u + update->filled * width;
    double *restrict scaled = update->cu + update->filled * width;
    for (int j = 0; j < p; j++) {
        to[j] = u[j];
        scaled[j] = c * u[j];
    }
    for (int j = p; j < width; j++) to[j] = scaled[j] = 0.0;
    if (++update->filled == PANEL) flush_update(update);
}

#endif
