/* Sums of c u u' in eight lanes, over vectors that are shared by the lanes or have their own. */
#ifndef SURVIVALGPU_LANE_MOMENTS_H
#define SURVIVALGPU_LANE_MOMENTS_H

#include "lanes.h"

/* Vectors added up at once, and the tile of sums that stays in registers meanwhile. */
#define PANEL_ROWS 32
#define TILE_ROWS 2
#define TILE_COLUMNS 4

/* Lengths of vectors are padded to whole tiles. */
INLINE int padded_width(int p) { return (p + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS; }

/*
 * Add the upper triangle (and some more) of sum_r c[r] u[r] u[r]' to `total`, a square of
 * `width`. `u` holds `n` vectors of `width`: doubles of type `Value`, shared by all lanes, or
 * Lanes.
 */
#define DEFINE_ADD_MOMENTS(name, Value)                                                       \
    INLINE void name(Lanes *restrict total, int width, int n, const Lanes *restrict c,        \
                     const Value *restrict u)                                                 \
    {                                                                                         \
        for (int i = 0; i < width; i += TILE_ROWS) {                                          \
            for (int j = i / TILE_COLUMNS * TILE_COLUMNS; j < width; j += TILE_COLUMNS) {     \
                Lanes a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0};                                 \
                Lanes b0 = {0}, b1 = {0}, b2 = {0}, b3 = {0};                                 \
                for (int r = 0; r < n; r++) {                                                 \
                    const Value *restrict v = u + r * width;                                  \
                    const Lanes a = c[r] * v[i], b = c[r] * v[i + 1];                         \
                    a0 += a * v[j], a1 += a * v[j + 1], a2 += a * v[j + 2], a3 += a * v[j + 3]; \
                    b0 += b * v[j], b1 += b * v[j + 1], b2 += b * v[j + 2], b3 += b * v[j + 3]; \
                }                                                                             \
                Lanes *restrict to = total + i * width + j, *restrict next = to + width;      \
                to[0] += a0, to[1] += a1, to[2] += a2, to[3] += a3;                           \
                next[0] += b0, next[1] += b1, next[2] += b2, next[3] += b3;                   \
            }                                                                                 \
        }                                                                                     \
    }

DEFINE_ADD_MOMENTS(add_shared_moments, double)
DEFINE_ADD_MOMENTS(add_lane_moments, Lanes)

#endif
