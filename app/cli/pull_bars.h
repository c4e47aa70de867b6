/*
 * skopeo's bars, one for each layer, on a terminal of its own: what it writes there are also the
 * words of registries, which never reach the person's terminal as they are.
 */
#ifndef COFFERDAM_APP_CLI_PULL_BARS_H
#define COFFERDAM_APP_CLI_PULL_BARS_H

#include "app/cli/pull_sizes.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/str.h"

/*
 * Passes text and line ends on, and of all control sequences the two that bars are drawn with:
 * upwards by as many lines as were written here (CSI n A), and erase from there on (CSI J). Colours
 * are dropped; everything else, C1 and what is not ASCII too, becomes visible as \xNN.
 */
struct pull_filter {
    unsigned lines; /* written and not gone up again */
    char held[16];  /* a sequence that has begun */
    unsigned count;
    unsigned dots; /* bytes of an ellipsis, which becomes "~" */
};
void pull_filter_text(struct pull_filter *f, const char *text, size_t size, struct buf *to);

struct pull_bars {
    int terminal; /* owned; the side that is read */
    int person;   /* borrowed: the terminal it is shown on; FD_NONE: only read for its sizes */
    struct pull_sizes sizes;
    struct pull_filter filter;
};

/* `*ret_slave`: the caller's, for the program. */
int pull_bars_open(int person, struct pull_bars *ret, int *ret_slave, struct error *e);
/* Shows what there is. 1: there is more to come; 0: nobody writes any more. */
int pull_bars_show(struct pull_bars *b);
void pull_bars_close(struct pull_bars *b);

#endif
