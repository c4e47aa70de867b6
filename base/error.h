/* Errors: a negative errno that travels by return value, and a text the caller owns. */
#ifndef COFFERDAM_BASE_ERROR_H
#define COFFERDAM_BASE_ERROR_H

#include <errno.h>

/* The text stands in place, so an error can be filled in after fork() and when memory is gone. */
struct error {
    int code;       /* positive errno; 0: no error */
    char text[480]; /* one line for a person, already escaped where it quotes a stranger's bytes */
};

/*
 * The contract of every function here that takes a struct error: on success it is untouched; on
 * failure the function returns a negative errno and the text says what, where and, if possible,
 * the mend. It is never NULL.
 */

/* Fills `e` and returns -code. `code` must be positive. */
int error_set(struct error *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), nonnull(1, 3)));

/* As error_set(), with ": strerror(code)" behind the text. */
int error_errno(struct error *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), nonnull(1, 3)));

/*
 * Takes over what another process of ours has sent, which may be anything by then: the text ends,
 * the code is one. Returns -code.
 */
int error_take(struct error *e, const struct error *said);

/* Puts "who: " in front of the text on its way up; returns -e->code. */
int error_wrap(struct error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), nonnull(1, 2)));

#endif
