/* Hearing from gVisor's log what it refuses, while it runs and once more at the end. */
#include "backends/oci/hands_inner.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* It waits when this is full: so much that it does not while we do something else. */
enum { REFUSED_PIPE = 1 << 20 };

/* A FIFO: a log that nobody bounds would fill the memory. */
int refused_open(struct hands *h, struct error *e)
{
    if (h->runtime.kind != OCI_RUNSC || !h->w->whole->seccomp)
        return 0;
    if (mkfifo(OCI_CALLS, 0600) < 0)
        return error_errno(e, errno, OCI_CALLS);
    h->calls_log = open(OCI_CALLS, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (h->calls_log < 0)
        return error_errno(e, errno, OCI_CALLS);
    fcntl(h->calls_log, F_SETPIPE_SZ, REFUSED_PIPE);
    h->runtime.calls = OCI_CALLS;
    hands_tell(h->control, HANDS_REFUSED, HANDS_ALL, 0, NULL, NULL, 0);
    return 0;
}

static void refused_tell(struct hands *h, bool all)
{
    struct refused *r = &h->refused;
    for (uint32_t i = 0; i < HANDS_CALLS_END; i++) {
        if (r->count[i] == r->told[i] || (r->told[i] && !all))
            continue;
        hands_tell(h->control, HANDS_REFUSED, i, (int)r->count[i], NULL, NULL, 0);
        r->told[i] = r->count[i];
    }
}

/* Each call the first time, so that no more is lost with us than how often. */
void refused_read(struct hands *h, bool last)
{
    static char data[64 * 1024];
    if (h->calls_log < 0)
        return;
    /* not for ever: others may want something of us, and it could go on writing */
    for (size_t i = 0; i < (last ? 2u * REFUSED_PIPE / sizeof(data) : 1); i++) {
        ssize_t n = read(h->calls_log, data, sizeof(data));
        if (n <= 0)
            break;
        refused_feed(&h->refused, data, (size_t)n);
    }
    refused_tell(h, last);
}
