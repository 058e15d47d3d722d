/* Helpers of the R front end, called from R by .Call: each does in one pass, without
 * temporary vectors, what survival's front end does in several. Their R callers, in
 * R/front-end-*.R, say what they must equal. */
#ifndef SURVIVALGPU_R_HELPERS_H
#define SURVIVALGPU_R_HELPERS_H

#include <R.h>
#include <Rinternals.h>
#include <stdint.h>

SEXP front_rounded_times(SEXP y, SEXP tolerance);
SEXP front_numbers(SEXP n);
SEXP front_address(SEXP numbers);
SEXP front_survival_matrix(SEXP time, SEXP time2, SEXP event);
SEXP front_missing_rows(SEXP columns);
SEXP front_all_finite(SEXP x, SEXP column);
SEXP front_all_equal_to(SEXP x, SEXP value, SEXP column);
SEXP front_only_among(SEXP x, SEXP column, SEXP values);
SEXP front_bare_copy(SEXP x, SEXP column);
SEXP front_bind_columns(SEXP columns, SEXP n_rows);
SEXP front_whole_numbers(SEXP x);
SEXP front_small_match(SEXP x, SEXP values, SEXP low, SEXP range);
SEXP front_small_unique(SEXP x, SEXP low, SEXP range, SEXP sorted);

#endif
