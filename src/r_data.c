/* Responses, missing values, designs: one pass over the data for each. */
#include "large.h"
#include "r_helpers.h"

#include <math.h>
#include <string.h>

/* A vector of n doubles that nothing was written to. */
SEXP front_numbers(SEXP n)
{
    SEXP numbers = allocVector(REALSXP, (R_xlen_t)asReal(n));
    use_large_pages(REAL(numbers), (size_t)XLENGTH(numbers) * sizeof(double));
    return numbers;
}

/* Where the doubles of a vector are: an address has no more than 53 bits. */
SEXP front_address(SEXP numbers) { return ScalarReal((double)(uintptr_t)REAL(numbers)); }

/* A double matrix that nothing was written to. */
static SEXP large_matrix(R_xlen_t n, R_xlen_t p)
{
    SEXP matrix = allocMatrix(REALSXP, (int)n, (int)p);
    use_large_pages(REAL(matrix), (size_t)XLENGTH(matrix) * sizeof(double));
    return matrix;
}

static int is_bare_number(SEXP x)
{
    return (TYPEOF(x) == REALSXP || TYPEOF(x) == INTSXP || TYPEOF(x) == LGLSXP) &&
           ATTRIB(x) == R_NilValue;
}

static void copy_numbers(SEXP x, double *to)
{
    const R_xlen_t n = XLENGTH(x);
    if (TYPEOF(x) == REALSXP) {
        memcpy(to, REAL_RO(x), (size_t)n * sizeof *to);
        return;
    }
    const int *from = TYPEOF(x) == LGLSXP ? LOGICAL_RO(x) : INTEGER_RO(x);
    for (R_xlen_t i = 0; i < n; i++) to[i] = from[i] == NA_INTEGER ? NA_REAL : from[i];
}

/* Status as 0 and 1, from that or from 1 and 2; 0 where Surv() has more to say. */
static int copy_status(SEXP event, double *to)
{
    const R_xlen_t n = XLENGTH(event);
    int seen[3] = {0, 0, 0};
    copy_numbers(event, to);
    for (R_xlen_t i = 0; i < n; i++) {
        if (ISNAN(to[i])) {
            to[i] = NA_REAL;
            continue;
        }
        if (to[i] != 0 && to[i] != 1 && to[i] != 2) return 0;
        seen[(int)to[i]] = 1;
    }
    if (seen[2] && seen[0]) return 0;
    for (R_xlen_t i = 0; seen[2] && i < n; i++) to[i] -= 1;
    return TYPEOF(event) == LGLSXP || seen[0] || seen[1] || seen[2];
}

/*
 * The matrix in Surv(time, event), or in Surv(time, time2, event), of plain numbers and
 * valid data; NULL where there is anything to convert, to warn of or to refuse.
 */
SEXP front_survival_matrix(SEXP time, SEXP time2, SEXP event)
{
    const int n_times = isNull(time2) ? 1 : 2;
    const R_xlen_t n = XLENGTH(time);
    if (!is_bare_number(time) || !is_bare_number(event) || n == 0 || n > INT_MAX ||
        XLENGTH(event) != n || TYPEOF(time) == LGLSXP)
        return R_NilValue;
    if (n_times == 2 && (!is_bare_number(time2) || TYPEOF(time2) == LGLSXP || XLENGTH(time2) != n))
        return R_NilValue;
    SEXP result = PROTECT(large_matrix(n, n_times + 1));
    double *to = REAL(result);
    copy_numbers(time, to);
    if (n_times == 2) copy_numbers(time2, to + n);
    int fine = copy_status(event, to + n * n_times);
    for (R_xlen_t i = 0; fine && n_times == 2 && i < n; i++) fine = !(to[i] >= to[n + i]);
    UNPROTECT(1);
    return fine ? result : R_NilValue;
}

/* 0 where the column is not of a kind that can be missing row by row. */
static int mark_missing(SEXP column, int *omit, R_xlen_t n)
{
    const R_xlen_t length = XLENGTH(column);
    for (R_xlen_t first = 0; first < length; first += n) {
        switch (TYPEOF(column)) {
        case REALSXP: {
            const double *x = REAL_RO(column) + first;
            for (R_xlen_t i = 0; i < n; i++) omit[i] |= x[i] != x[i];
            break;
        }
        case INTSXP:
        case LGLSXP: {
            const int *x = TYPEOF(column) == INTSXP ? INTEGER_RO(column) : LOGICAL_RO(column);
            x += first;
            for (R_xlen_t i = 0; i < n; i++) omit[i] |= x[i] == NA_INTEGER;
            break;
        }
        case STRSXP:
            for (R_xlen_t i = 0; i < n; i++) omit[i] |= STRING_ELT(column, first + i) == NA_STRING;
            break;
        default:
            return 0;
        }
    }
    return 1;
}

/*
 * Rows with a missing value in any of `columns`, vectors or matrices with as many rows:
 * a logical vector, FALSE where there is none, NULL where a column is of another kind.
 */
SEXP front_missing_rows(SEXP columns)
{
    const R_xlen_t p = XLENGTH(columns);
    if (p == 0) return R_NilValue;
    SEXP leading = VECTOR_ELT(columns, 0);
    const R_xlen_t n = isMatrix(leading) ? nrows(leading) : XLENGTH(leading);
    if (n == 0) return R_NilValue;
    SEXP omit = PROTECT(allocVector(LGLSXP, n));
    int *marks = LOGICAL(omit), known = 1, any = 0;
    memset(marks, 0, (size_t)n * sizeof *marks);
    for (R_xlen_t j = 0; known && j < p; j++) {
        SEXP column = VECTOR_ELT(columns, j);
        known = XLENGTH(column) % n == 0 && mark_missing(column, marks, n);
    }
    for (R_xlen_t i = 0; known && !any && i < n; i++) any = marks[i];
    UNPROTECT(1);
    return !known ? R_NilValue : any ? omit : ScalarLogical(FALSE);
}

/* The numbers of x, or of one of its columns, counted from 1. */
static R_xlen_t part_of(SEXP x, SEXP column, R_xlen_t *first)
{
    *first = 0;
    if (isNull(column)) return XLENGTH(x);
    *first = (R_xlen_t)(asInteger(column) - 1) * nrows(x);
    return nrows(x);
}

/* all(is.finite(x)), or of x[, column]; x double or integer. */
SEXP front_all_finite(SEXP x, SEXP column)
{
    R_xlen_t first, i = 0;
    const R_xlen_t n = part_of(x, column, &first);
    if (TYPEOF(x) != REALSXP) {
        const int *values = TYPEOF(x) == LGLSXP ? LOGICAL_RO(x) : INTEGER_RO(x);
        while (i < n && values[first + i] != NA_INTEGER) i++;
        return ScalarLogical(i == n);
    }
    const double *values = REAL_RO(x) + first;
    double sums[4] = {0, 0, 0, 0}; /* 0 times what is not finite is NaN */
    for (; i + 4 <= n; i += 4)
        for (int lane = 0; lane < 4; lane++) sums[lane] += 0.0 * values[i + lane];
    for (; i < n; i++) sums[0] += 0.0 * values[i];
    return ScalarLogical(sums[0] + sums[1] + sums[2] + sums[3] == 0);
}

/* all(x == value), or of x[, column]; x double, value not NA. */
SEXP front_all_equal_to(SEXP x, SEXP value, SEXP column)
{
    R_xlen_t first;
    const R_xlen_t n = part_of(x, column, &first);
    const double *values = REAL_RO(x) + first, wanted = asReal(value);
    int unknown = 0;
    for (R_xlen_t i = 0; i < n; i++) {
        if (ISNAN(values[i]))
            unknown = 1;
        else if (values[i] != wanted)
            return ScalarLogical(FALSE);
    }
    return ScalarLogical(unknown ? NA_LOGICAL : TRUE);
}

/* all(x[, column] %in% values); x and values double, no values NaN. */
SEXP front_only_among(SEXP x, SEXP column, SEXP values)
{
    R_xlen_t first;
    const R_xlen_t n = part_of(x, column, &first), n_values = XLENGTH(values);
    const double *numbers = REAL_RO(x) + first, *wanted = REAL_RO(values);
    for (R_xlen_t i = 0; i < n; i++) {
        R_xlen_t k = 0;
        while (k < n_values && numbers[i] != wanted[k]) k++;
        if (k == n_values) return ScalarLogical(FALSE);
    }
    return ScalarLogical(TRUE);
}

/* The numbers of x, double or integer, or of one of its columns, without attributes. */
SEXP front_bare_copy(SEXP x, SEXP column)
{
    R_xlen_t first;
    const R_xlen_t n = part_of(x, column, &first);
    SEXP result = PROTECT(allocVector(TYPEOF(x), n));
    if (TYPEOF(x) == REALSXP)
        memcpy(REAL(result), REAL_RO(x) + first, (size_t)n * sizeof(double));
    else
        memcpy(INTEGER(result), INTEGER_RO(x) + first, (size_t)n * sizeof(int));
    UNPROTECT(1);
    return result;
}

/* A double matrix of numeric vectors and matrices of n rows, side by side. */
SEXP front_bind_columns(SEXP columns, SEXP n_rows)
{
    const int n = asInteger(n_rows);
    R_xlen_t total = 0, at = 0;
    for (R_xlen_t j = 0; j < XLENGTH(columns); j++) total += XLENGTH(VECTOR_ELT(columns, j));
    SEXP result = PROTECT(large_matrix(n, n ? total / n : XLENGTH(columns)));
    for (R_xlen_t j = 0; j < XLENGTH(columns); j++) {
        copy_numbers(VECTOR_ELT(columns, j), REAL(result) + at);
        at += XLENGTH(VECTOR_ELT(columns, j));
    }
    UNPROTECT(1);
    return result;
}
