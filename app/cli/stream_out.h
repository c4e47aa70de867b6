/* Where a workload's bytes leave us: untouched into a file or a pipe, as text onto a terminal. */
#ifndef COFFERDAM_APP_CLI_STREAM_OUT_H
#define COFFERDAM_APP_CLI_STREAM_OUT_H

#include <stdbool.h>
#include <stddef.h>

struct stream_filter; /* its state between pieces */

struct stream_out {
    int fd;
    struct stream_filter *filter; /* owned; NULL: no terminal, no filter */
    bool closed;                  /* writing failed: what comes is thrown away */
};

void stream_out_init(struct stream_out *o, int fd);
/* Puts a terminal's colours back and frees the filter. */
void stream_out_done(struct stream_out *o);

/* Writes everything, waiting as long as it takes. 0, or -errno once when nobody reads any more. */
int stream_out_write(struct stream_out *o, const char *bytes, size_t size);

#endif
