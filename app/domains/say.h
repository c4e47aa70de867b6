/* What this program tells the monitor that has started it. */
#ifndef COFFERDAM_APP_DOMAINS_SAY_H
#define COFFERDAM_APP_DOMAINS_SAY_H

#include "backends/libvirt/wire.h"

/* 0 or -errno; -EPIPE: nobody is there any more. `e` may be NULL; `fds` stay the caller's. */
int domains_say(enum domain_word word, uint32_t number, int32_t value, const struct error *e);
int domains_say_with(struct domain_message *m, const int *fds, size_t count);
void domains_say_watchdog(int action); /* virDomainEventWatchdogAction */

#endif
