/*
 * What starts cost on this machine: $cache/measured.json, figures for each boundary, taken from the
 * workloads there are. A hint for the one who chooses; nothing depends on it.
 */
#ifndef COFFERDAM_APP_CLI_MEASURED_H
#define COFFERDAM_APP_CLI_MEASURED_H

#include "base/dirs.h"

#include <stdint.h>

struct measured {
    uint64_t starts;   /* how many have been seen; 0: none, the rest says nothing */
    uint64_t start_us; /* from the order to the command's start: a running mean */
    uint64_t memory;   /* bytes, at rest; 0: not known */
};

/* Looks at what runs now, adds what is new to the file, and returns the figures of a boundary. */
struct measured_all;
struct measured_all *measured_look(const struct dirs *d); /* never NULL */
struct measured measured_of(const struct measured_all *all, const char *boundary);
/* One more start of this boundary, from now on in the file; its memory only if none is known. */
void measured_note(const struct dirs *d, const char *boundary, uint64_t start_us, uint64_t memory);
void measured_free(struct measured_all *all);

#endif
