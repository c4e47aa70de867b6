/* Work of the interface that may have to wait for a disk: done by a copy of ours, beside us. */
#ifndef COFFERDAM_UI_ASIDE_H
#define COFFERDAM_UI_ASIDE_H

#include "base/error.h"

#include <sys/types.h>

/*
 * What such a copy does first: a session of its own, so that neither a key pressed while an editor
 * has the terminal nor a new size of it is a signal to it; no signal handled or blocked, SIGPIPE
 * ignored; /dev/null as 0 to 2; no descriptor of ours but `fd`, returned by its new number.
 */
int aside_settle(int fd);

/*
 * Runs `work` in a copy: what it writes to `fd` comes from `*ret_output`, what it returns is its
 * exit status; `*ret_pidfd` is for waitid(2). Both are the caller's. 0 or -errno with text.
 */
int aside_start(int (*work)(int fd, const void *data), const void *data, int *ret_output,
                int *ret_pidfd, struct error *e);

#endif
