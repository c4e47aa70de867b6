#include "app/domains/say.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <libvirt/libvirt.h>

int domains_say_with(struct domain_message *m, const int *fds, size_t count)
{
    return fd_send(DOMAIN_FD_CONTROL, m, sizeof(*m), fds, count);
}

int domains_say(enum domain_word word, uint32_t number, int32_t value, const struct error *e)
{
    struct domain_message m = {.word = word, .number = number, .value = value};
    if (e)
        m.error = *e;
    return domains_say_with(&m, NULL, 0);
}

void domains_say_watchdog(int action)
{
    static const char *const what[] = {
        [VIR_DOMAIN_EVENT_WATCHDOG_NONE] = "nothing was done",
        [VIR_DOMAIN_EVENT_WATCHDOG_PAUSE] = "it was paused",
        [VIR_DOMAIN_EVENT_WATCHDOG_RESET] = "it was reset",
        [VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF] = "it was switched off",
        [VIR_DOMAIN_EVENT_WATCHDOG_SHUTDOWN] = "it was asked to shut down",
        [VIR_DOMAIN_EVENT_WATCHDOG_DEBUG] = "nothing was done",
        [VIR_DOMAIN_EVENT_WATCHDOG_INJECTNMI] = "its kernel was interrupted",
    };
    struct error e;
    error_set(&e, ETIMEDOUT, "the guest's watchdog fired, which nothing in it had fed: %s",
              action >= 0 && (size_t)action < ARRAY_SIZE(what) ? what[action] : "libvirt acted");
    domains_say(DOMAIN_NOTE, 0, 0, &e);
}
