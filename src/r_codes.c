/* Whole numbers of a small range are told apart by marking them, without hashing. */
#include "r_helpers.h"

#include <math.h>
#include <string.h>

enum { WHOLE, ABSENT, OTHER };

/* Element i of a double or an integer vector. */
static int whole_at(SEXP x, R_xlen_t i, int64_t *number)
{
    if (TYPEOF(x) == INTSXP) {
        *number = INTEGER_RO(x)[i];
        return *number == NA_INTEGER ? ABSENT : WHOLE;
    }
    const double value = REAL_RO(x)[i];
    if (fabs(value) < 1e9 && value == (double)(int64_t)value) {
        *number = (int64_t)value;
        return WHOLE;
    }
    return R_IsNA(value) ? ABSENT : OTHER;
}

/* c(smallest, largest, number missing) of a vector of whole numbers; NULL of others. */
SEXP front_whole_numbers(SEXP x)
{
    if (TYPEOF(x) != INTSXP && TYPEOF(x) != REALSXP) return R_NilValue;
    const R_xlen_t n = XLENGTH(x);
    int64_t low = INT64_MAX, high = INT64_MIN, number;
    R_xlen_t n_missing = 0;
    for (R_xlen_t i = 0; i < n; i++) {
        const int kind = whole_at(x, i, &number);
        if (kind == OTHER) return R_NilValue;
        if (kind == ABSENT) {
            n_missing++;
            continue;
        }
        if (number < low) low = number;
        if (number > high) high = number;
    }
    if (n_missing == n) return R_NilValue;
    SEXP result = allocVector(REALSXP, 3);
    REAL(result)[0] = (double)low;
    REAL(result)[1] = (double)high;
    REAL(result)[2] = (double)n_missing;
    return result;
}

/* Where in `values`, whole numbers of low, ..., low + range - 1, each x is; NA: nowhere. */
SEXP front_small_match(SEXP x, SEXP values, SEXP low, SEXP range)
{
    const int64_t first = (int64_t)asReal(low), size = (int64_t)asReal(range);
    const R_xlen_t n = XLENGTH(x);
    int64_t number;
    int *places = (int *)R_alloc(size, sizeof *places);
    memset(places, 0, (size_t)size * sizeof *places);
    for (R_xlen_t j = XLENGTH(values); j-- > 0;)
        if (whole_at(values, j, &number) == WHOLE) places[number - first] = (int)j + 1;
    SEXP result = PROTECT(allocVector(INTSXP, n));
    int *to = INTEGER(result);
    for (R_xlen_t i = 0; i < n; i++) {
        const int known = whole_at(x, i, &number) == WHOLE;
        const int place = known && number >= first && number < first + size ? places[number - first] : 0;
        to[i] = place ? place : NA_INTEGER;
    }
    UNPROTECT(1);
    return result;
}

/*
 * Distinct values of x, whole numbers of low, ..., low + range - 1, as they come or
 * ascending. Missing values are left out.
 */
SEXP front_small_unique(SEXP x, SEXP low, SEXP range, SEXP ascending)
{
    const int64_t first = (int64_t)asReal(low), size = (int64_t)asReal(range);
    const R_xlen_t n = XLENGTH(x);
    int64_t number, *found = (int64_t *)R_alloc(size, sizeof *found);
    unsigned char *marks = (unsigned char *)R_alloc(size, 1);
    R_xlen_t n_found = 0;
    memset(marks, 0, (size_t)size);
    for (R_xlen_t i = 0; i < n; i++) {
        if (whole_at(x, i, &number) != WHOLE || marks[number - first]) continue;
        marks[number - first] = 1;
        found[n_found++] = number;
    }
    if (asLogical(ascending)) {
        R_xlen_t at = 0;
        for (int64_t i = 0; i < size; i++)
            if (marks[i]) found[at++] = first + i;
    }
    SEXP result = PROTECT(allocVector(TYPEOF(x), n_found));
    for (R_xlen_t i = 0; i < n_found; i++) {
        if (TYPEOF(x) == INTSXP)
            INTEGER(result)[i] = (int)found[i];
        else
            REAL(result)[i] = (double)found[i];
    }
    UNPROTECT(1);
    return result;
}
