/* The passes for any processor. */
#define WORK resampled_work_plain
#include "resampled_passes.h"
