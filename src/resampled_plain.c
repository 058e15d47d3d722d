/* The passes for any processor. */
#define PASS resampled_pass_plain
#include "resampled_passes.h"
