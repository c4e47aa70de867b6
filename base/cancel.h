/* Work that whoever waits for it can give up by a signal: it stops, clears up, and ends by it. */
#ifndef COFFERDAM_BASE_CANCEL_H
#define COFFERDAM_BASE_CANCEL_H

#include <poll.h>
#include <signal.h>

/* The signal, once there was one. What takes long looks at it now and then. */
extern volatile sig_atomic_t cancelled;

/* From here on INT, TERM, HUP and QUIT only set it; those that were ignored still are. */
void cancel_on_signals(void);
/* As poll(2) with no time limit for -1; -EINTR at once if it is set, whenever that happened. */
int cancel_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
/* What comes from here on is for a part that cannot be given up: it ends the process as usual. */
void cancel_no_more(void);
/* All is cleared up: the process ends by that signal. Returns if there was none. */
void cancel_end(void);

#endif
