/* Registration with R. The kernels are called from Python and need none. */
#include <stddef.h>

#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

#include "r_helpers.h"

#define CALL(name, arguments) {#name, (DL_FUNC)&name, arguments}

static const R_CallMethodDef calls[] = {
    CALL(front_rounded_times, 2),
    CALL(front_numbers, 1),
    CALL(front_address, 1),
    CALL(front_survival_matrix, 3),
    CALL(front_missing_rows, 1),
    CALL(front_all_finite, 2),
    CALL(front_all_equal_to, 3),
    CALL(front_only_among, 3),
    CALL(front_bare_copy, 2),
    CALL(front_bind_columns, 2),
    CALL(front_whole_numbers, 1),
    CALL(front_small_match, 4),
    CALL(front_small_unique, 4),
    {NULL, NULL, 0}
};

void attribute_visible R_init_survivalGPU(DllInfo *info)
{
    R_registerRoutines(info, NULL, calls, NULL, NULL);
    R_useDynamicSymbols(info, FALSE);
}
