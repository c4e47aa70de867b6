/*
 * An audit from inside: a static program that is copied into a workload and tries what a hostile
 * one would. Each check runs in a process of its own, so that what one leaves behind helps no other
 * and a check that is killed by the filter counts as held. Nothing here is ever built into the
 * program itself.
 */
#ifndef COFFERDAM_TESTS_AUDIT_INSIDE_H
#define COFFERDAM_TESTS_AUDIT_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A check returns HELD, HOLE or SKIP after saying why in inside_say(). One that does not come back
 * at all (killed by a signal) has been held, except by SIGALRM, which is a hole: it hung.
 */
enum { HELD = 0, HOLE = 1, SKIP = 2 };

struct check {
    const char *name;
    int (*run)(void);
};

extern const struct check checks_calls[], checks_compat[], checks_sockets[], checks_files[],
    checks_processes[], checks_pools[], checks_secrets[];

/* Remembers a text for the line of this check. */
void inside_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* HELD if `result` is a failure; says the errno. */
int inside_refused(long result);
/* A system call by number; -1 and errno. */
int inside_call_refused(long number, long a, long b, long c, long d, long e);
/* HELD if the file cannot be opened with `flags`. */
int inside_not_opened(const char *path, int flags);
/* HELD if the file cannot be read, or holds no byte (a mask). */
int inside_not_read(const char *path);
/* The file's beginning as a string, "" if it cannot be read. */
const char *inside_read(const char *path);

/* What the starter told about the host: the value of NAME in /audit/facts, or "". */
const char *inside_fact(const char *name);
bool inside_is_root(void); /* the starter was */

#endif
