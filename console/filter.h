/*
 * Plain streams that end at a terminal: text, newline, tab and SGR colours are let through, written
 * anew by us; everything else a terminal might obey is dropped and counted.
 */
#ifndef COFFERDAM_CONSOLE_FILTER_H
#define COFFERDAM_CONSOLE_FILTER_H

#include "base/str.h"
#include "console/render.h"
#include "console/tokens.h"

struct filter {
    struct render_terminal terminal; /* what it can show */
    struct tokens tokens;
    struct cell pen, shown; /* looks asked for, looks the terminal has */
    bool returned;          /* a carriage return is held back: the next character decides */
    uint64_t dropped;       /* sequences and controls */
};

void filter_init(struct filter *f, const struct render_terminal *t);

/*
 * Appends what is left of the bytes to `to`. A sequence may be cut anywhere between two calls. A
 * carriage return that no newline follows becomes a newline: what was said is never written over.
 * Concealed and blinking text is shown plainly.
 */
void filter_feed(struct filter *f, const char *data, size_t size, struct buf *to);

/* The stream is over: half a character is shown as broken, colours are put back. */
void filter_end(struct filter *f, struct buf *to);

#endif
