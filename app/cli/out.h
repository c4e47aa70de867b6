/* What verbs print: tables, JSON, colours. Whatever comes from outside is escaped on its way. */
#ifndef COFFERDAM_APP_CLI_OUT_H
#define COFFERDAM_APP_CLI_OUT_H

#include "base/str.h"

#include <jansson.h>

/* The schema of every --json document: {"version": OUT_JSON_VERSION, …}. */
#define OUT_JSON_VERSION 1

/*
 * A table: columns as wide as their widest cell, two blanks between. Nothing is printed before
 * out_table_print().
 */
struct out_table {
    const char *const *columns; /* borrowed, NULL-terminated; '>' first in a title: to the right */
    char **cells;               /* owned; escaped */
    size_t count, room;
};
/* A row: as many texts as columns; NULL is "-". They are escaped and copied. */
void out_table_add(struct out_table *t, const char *const *cells);
void out_table_print(const struct out_table *t);
void out_table_done(struct out_table *t);

/* printf to stdout of texts made safe first: every %s must be out_text()ed or our own. */
void out_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Escaped copy, owned by the caller; "-" for NULL. */
char *out_text(const char *s);

/* Prints the object (taken over) with "version" in it, as one indented document. */
void out_json(json_t *object);
/* The same on one line, for streams. */
void out_json_line(json_t *object);
/* A string from outside: as it is if it is UTF-8, else escaped; null for NULL. */
json_t *out_json_string(const char *s);
json_t *out_json_strings(char *const *v); /* an array */

/* SGR sequences for stdout, "" unless it is a terminal, NO_COLOR is empty and TERM is not dumb. */
enum out_colour { OUT_PLAIN, OUT_BOLD, OUT_DIM, OUT_RED, OUT_GREEN, OUT_YELLOW, OUT_BLUE };
const char *out_colour(enum out_colour c);

/*
 * Asks "TEXT [y/N] " on the terminal. True for yes; without a terminal false. `force`: true,
 * unasked.
 */
bool out_confirm(bool force, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
