/* The terminal interface as the command line loads it: cofferdam-ui.so exports `ui_module`. */
#ifndef COFFERDAM_UI_MODULE_H
#define COFFERDAM_UI_MODULE_H

#include "base/error.h"

#include <stddef.h>

struct ui_verb; /* ui/model.h */

/* What the command line lends: the interface starts and removes by the same road as a person at a
 * prompt. */
struct ui_host {
    /*
     * Starts our own program with these arguments (borrowed, NULL-terminated, without its own
     * name), standard input empty. What it prints, errors too, comes from `*ret_output` until its
     * end; `*ret_pidfd` is for waitid(2). Both are the caller's. 0 or -errno with text.
     */
    int (*program)(const char *const *args, int *ret_output, int *ret_pidfd, struct error *e);
    /* The same for one whose output is read by us alone: its errors are not in it. */
    int (*reporter)(const char *const *args, int *ret_output, int *ret_pidfd, struct error *e);
    /*
     * As `program` for a launch with these options of `run`, its console of this size and attached
     * before the first byte. By the end of the output one message is on `*ret_socket` (the
     * caller's): its name, and the connection to its monitor for client_handed(). None: it was
     * refused.
     */
    int (*launch)(const char *const *args, int rows, int cols, int *ret_output, int *ret_pidfd,
                  int *ret_socket, struct error *e);
    /*
     * As `program` with the terminal as its standard input and output; only what it says on
     * standard error comes from `*ret_said`.
     */
    int (*foreground)(const char *const *args, int *ret_said, int *ret_pidfd, struct error *e);
    const struct ui_verb *verbs; /* what can be said behind ":"; as long as the interface runs */
    size_t verbs_count;
};

struct ui_module {
    int (*run)(const struct ui_host *host); /* until the person leaves; the process's exit status */
};

#endif
