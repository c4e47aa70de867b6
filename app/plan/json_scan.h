/*
 * A strict reader of JSON that builds no tree: the caller says what it expects next. Made for
 * plans, which are read on the way of every launch; a tree of a thousand small nodes took longer
 * than all namespaces.
 */
#ifndef COFFERDAM_APP_PLAN_JSON_SCAN_H
#define COFFERDAM_APP_PLAN_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan {
    const char *start, *at, *end; /* borrowed */
};

/* Skips white space and takes `c` if it comes next. */
bool scan_take(struct scan *s, char c);

/*
 * Walks an object or a list: opens it at the first call (`*first` true), then takes the comma. 1:
 * a member or an item follows, 0: it is closed, -EINVAL.
 */
int scan_next(struct scan *s, char open, char close, bool *first);

/* A string of plain ASCII without escapes, NUL-terminated in `to`; with its colon, a member's name.
 */
int scan_word(struct scan *s, char *to, size_t room);
int scan_name(struct scan *s, char *to, size_t room);

/*
 * A string, NUL-terminated, owned by the caller. The private characters of json_bytes.h become the
 * bytes they stand for. -EINVAL: not a string, broken, or it holds a NUL.
 */
int scan_text(struct scan *s, char **ret);

/* A whole number, 0 to `most`; no sign, fraction or exponent. 0 or -EINVAL. */
int scan_number(struct scan *s, uint64_t most, uint64_t *ret);
int scan_bool(struct scan *s, bool *ret);

/* Nothing but white space is left. */
bool scan_done(struct scan *s);

#endif
