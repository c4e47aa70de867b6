/* A picture on the terminal that is drawn anew each second, until somebody leaves. */
#ifndef COFFERDAM_APP_CLI_WATCH_H
#define COFFERDAM_APP_CLI_WATCH_H

#include <stdbool.h>
#include <stdio.h>

struct watch {
    bool terminal; /* else pictures are printed one after another */
    bool keys;     /* keys are heard */
    FILE *to;   /* borrowed; stdout, while a picture is drawn */
    char *text; /* owned; what was drawn */
    size_t size;
};

void watch_begin(struct watch *w);
void watch_end(struct watch *w); /* the terminal as it was; a signal gives it back, too */

/* Between these two standard output is the picture; what is larger than the terminal is cut. */
void watch_draw(struct watch *w);
void watch_show(struct watch *w);

/* Waits; false: somebody wants to leave (q, Esc), or nobody reads us any more. A new size
 * of the terminal ends the wait. */
bool watch_wait(struct watch *w, int ms);

#endif
