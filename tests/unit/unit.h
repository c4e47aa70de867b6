/* What every unit test includes: cmocka with its own needs, and strings. */
#ifndef COFFERDAM_TESTS_UNIT_UNIT_H
#define COFFERDAM_TESTS_UNIT_UNIT_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#endif
