/*
 * The monitor is static and confined: it loads nothing. Code it shares with the CLI may name
 * module_open(); here that is this, and the dynamic loader stays out of the program.
 */
#include "base/module.h"

#include <stddef.h>

const void *module_open(const char *name, const char *table, struct error *e)
{
    error_set(e, EOPNOTSUPP, "the monitor loads no modules (%s)", name);
    return NULL;
}
