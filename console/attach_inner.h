/* The inside of attach*.c. */
#ifndef COFFERDAM_CONSOLE_ATTACH_INNER_H
#define COFFERDAM_CONSOLE_ATTACH_INNER_H

#include "console/attach.h"
#include "console/filter.h"

/* One of our own standard output and error. */
struct attach_out {
    int fd;
    struct buf pending;
    bool tty, file, eof, broken;
    struct filter filter;
};

struct attach {
    struct attach_options o;
    struct client *client; /* borrowed while attach_run() runs */
    struct attach_result *result;
    uint32_t console;
    uint32_t wait_request;
    bool over;   /* nothing more to wait for but output */
    bool waited; /* the workload is cleaned up */
    bool gone;   /* the connection is */
    int signals; /* signalfd */

    bool started;            /* the command has */
    uint32_t signal_request; /* of the last signal passed on */
    int signal;

    struct attach_out out[2];
    bool stdin_open, stdin_tty;
    struct attach_keys keys;

    /* Terminal consoles. */
    struct render_terminal terminal;
    struct render render;
    struct cells *cells;                  /* the client's mirror; NULL until the first picture */
    bool entered, dirty, may_type, plain; /* plain: no cursor addressing, lines are printed */
    uint64_t enter_at;                    /* ms; quick commands never see the alternate screen */
    char notice[200];
    uint64_t notice_until;

    /* The screen as lines: where no cursor can be moved, and at the end for the scrollback. */
    uint64_t next_line; /* the first not yet printed, counted from the workload's first */
    bool counted;       /* next_line is known */
    bool asked;         /* for history */
    uint16_t printed;   /* columns of the cursor's line already printed */
};

/* attach_screen.c */
void attach_screen_begin(struct attach *a);
void attach_screen_changed(struct attach *a, struct cells *c);
void attach_screen_draw(struct attach *a); /* if there is something to draw and room for it */
void attach_screen_resize(struct attach *a);
void attach_screen_leave(struct attach *a); /* back to the normal screen, for a while or for good */
void attach_screen_lines(struct attach *a, bool all);
void attach_screen_history(struct attach *a, uint64_t first, const struct cell *const *lines,
                           const uint16_t *cols, size_t count);
void attach_screen_notice(struct attach *a, const char *text);
int attach_screen_timeout(const struct attach *a); /* ms, -1: none */

#endif
