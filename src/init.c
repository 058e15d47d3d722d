/* Registration with R. The kernels are called from Python and need none. */
#include <stddef.h>

#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

void attribute_visible R_init_survivalGPU(DllInfo *info)
{
    R_registerRoutines(info, NULL, NULL, NULL, NULL);
    R_useDynamicSymbols(info, FALSE);
}
