/* What the list is narrowed to. */
#ifndef COFFERDAM_UI_FILTER_H
#define COFFERDAM_UI_FILTER_H

#include "ui/model.h"

#include <regex.h>

/*
 * Words, all of which a row has to pass: letters found anywhere in it; "state:", "profile:",
 * "boundary:", "name:", "label:" before them look there alone; "~" makes them a regular expression
 * (regex(7), extended, upper and lower case alike); "!" in front turns it round.
 */
enum { UI_FILTER_TERMS = 8 };
struct ui_filter {
    struct ui_filter_term {
        bool inverse, expression;
        char *where; /* owned or NULL: everywhere */
        char *text;  /* owned */
        regex_t re;
    } terms[UI_FILTER_TERMS];
    size_t count;
    bool broken; /* an expression that is none (yet): nothing is filtered by it */
};
void ui_filter_read(struct ui_filter *f, const char *text);
bool ui_filter_passes(const struct ui_filter *f, const struct ui_row *r);
void ui_filter_done(struct ui_filter *f);

#endif
