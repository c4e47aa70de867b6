/* One INI file as a list of known keys and values, each with its line. No file is opened here. */
#ifndef COFFERDAM_PROFILES_ENTRIES_H
#define COFFERDAM_PROFILES_ENTRIES_H

#include "profiles/settings.h"

struct entry {
    enum key_id key;
    unsigned line;
    bool more;   /* continues the value above it: a further item of a list */
    char *value; /* owned */
};

struct entries {
    struct entry *list; /* owned */
    size_t count;
    char *label; /* owned; what origins call the file: "contained.ini" */
    char *path;  /* owned; what errors call it */
};

enum { ENTRIES_FILE_MAX = 1024 * 1024 }; /* bytes */

/*
 * Reads `size` bytes at `text` with inih. `files` is KEY_IN_PROFILE or KEY_IN_WORKLOAD. Lines are
 * "[section]", "key = value", comments (; or # first), or indented further items of the list above.
 * -EINVAL with "PATH:LINE: …" and the nearest known name: unknown sections and keys, a NUL byte, a
 * line that is too long, text outside of all that. Nothing is cut, nothing is skipped.
 */
int entries_parse(const char *text, size_t size, const char *path, const char *label,
                  unsigned files, struct entries *ret, struct error *e);
void entries_done(struct entries *n);

/* Sets them all, in order; origins are "LABEL:LINE". Errors say "PATH:LINE: …". */
int entries_apply(const struct entries *n, struct settings *s, struct error *e);

/* The last value of a key, or NULL. Borrowed. */
const char *entries_value(const struct entries *n, enum key_id key);

#endif
