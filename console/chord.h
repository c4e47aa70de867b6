/* The keys that lead out of a console. */
#ifndef COFFERDAM_CONSOLE_CHORD_H
#define COFFERDAM_CONSOLE_CHORD_H

#include "base/error.h"

#include <stdbool.h>

/*
 * Detach chords, console.detach-keys: "ctrl-] d", or the presets "docker" (ctrl-p ctrl-q) and
 * "tmux" (ctrl-b d); words are one character or ctrl-X. The first key twice sends it once. -EINVAL
 * with what is allowed.
 */
struct attach_chord {
    char first, second; /* second 0: one key is enough */
    bool more;          /* `t` takes over and `?` explains behind the first key */
};
int attach_chord_parse(const char *text, struct attach_chord *ret, struct error *e);
char *attach_chord_name(const struct attach_chord *c); /* "ctrl-] d"; owned by the caller */

#endif
