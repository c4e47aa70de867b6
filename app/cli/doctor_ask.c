#include "app/cli/doctor.h"

#include "backends/kvm_probe.h"
#include "base/fd.h"
#include "base/spawn.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- an answer on its way: text, state and lengths, as this very program wrote them --- */

static void health_put_text(struct buf *to, const char *s)
{
    buf_putc(to, s ? 1 : 0);
    if (s)
        buf_add(to, s, strlen(s) + 1);
}

static void health_put(struct buf *to, const struct backend_health *h)
{
    buf_putc(to, h->usable ? 1 : 0);
    for (size_t i = 0; i < h->checks_count; i++) {
        const struct backend_check *c = &h->checks[i];
        buf_putc(to, (char)('0' + c->state));
        health_put_text(to, c->what);
        health_put_text(to, c->why);
        health_put_text(to, c->mend);
    }
    buf_putc(to, '.');
}

static bool health_get_text(const char **at, const char *end, const char **ret)
{
    if (*at == end)
        return false;
    bool there = *(*at)++ != 0;
    const char *stop = there ? memchr(*at, '\0', (size_t)(end - *at)) : *at;
    if (!stop)
        return false;
    *ret = there ? *at : NULL;
    *at = there ? stop + 1 : *at;
    return true;
}

/* False: it did not come whole. */
static bool health_get(const struct buf *from, struct backend_health *ret)
{
    const char *at = from->data, *end = at + from->used;
    if (!from->used)
        return false;
    ret->usable = *at++ != 0;
    while (at < end && *at != '.') {
        const char *what, *why, *mend;
        int state = *at++ - '0';
        if (state < BACKEND_GOOD || state > BACKEND_MISSING || !health_get_text(&at, end, &what) ||
            !what || !health_get_text(&at, end, &why) || !health_get_text(&at, end, &mend))
            return false;
        backend_health_add(ret, state, what, why, mend);
    }
    return at + 1 == end;
}

/* --- asking --- */

_Noreturn static void part_child(const struct doctor_part *p, const struct plan_host *host,
                                 pid_t parent, int out)
{
    struct backend_health health = {0};
    autobuf b = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    spawn_run_bind(true);
    p->ask(p->backend, host, &health);
    health_put(&b, &health);
    _exit(fd_write_full(out, b.data, b.used) < 0);
}

static void part_fails(struct doctor_part *p, const char *why)
{
    backend_health_done(&p->health);
    p->health = (struct backend_health){0};
    backend_health_add(&p->health, BACKEND_MISSING, "finding it out", why, "cofferdam doctor");
    p->answered = true;
}

static void part_begin(struct doctor_part *p, const struct plan_host *host)
{
    int pair[2];
    p->out = FD_NONE;
    if (fd_pipe(pair, 0) < 0) {
        part_fails(p, "no pipe could be made");
        return;
    }
    pid_t parent = getpid();
    p->pid = fork();
    if (p->pid == 0)
        part_child(p, host, parent, pair[1]);
    fd_close(pair[1]);
    p->out = pair[0];
    if (p->pid < 0) {
        p->out = fd_close(p->out);
        part_fails(p, "no process could be started");
    }
}

/* True: it has answered. */
static bool part_read(struct doctor_part *p)
{
    char data[4096];
    ssize_t n = read(p->out, data, sizeof(data));
    if (n < 0 && errno == EINTR)
        return false;
    if (n > 0) {
        buf_add(&p->said, data, (size_t)n);
        return false;
    }
    int status = 0;
    p->out = fd_close(p->out);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    p->answered = true;
    if (status || !health_get(&p->said, &p->health)) {
        autofree char *why = WIFSIGNALED(status)
                                 ? str_format("it was ended by signal %d", WTERMSIG(status))
                                 : str_dup("it ended without an answer");
        part_fails(p, why);
    }
    buf_done(&p->said);
    return true;
}

void doctor_ask(struct doctor_part *parts, size_t count, const struct plan_host *host,
                doctor_news_fn news, void *data)
{
    struct error ignored;
    size_t open = count;
    news(data, parts, count);
    part_begin(&parts[0], host);
    kvm_probe(&ignored); /* measured while nothing else is at it; those below know it from us */
    for (size_t i = 1; i < count; i++)
        part_begin(&parts[i], host);
    for (size_t i = 0; i < count; i++)
        if (parts[i].answered) { /* by that it could not be asked */
            news(data, parts, count);
            break;
        }
    autofree struct pollfd *fds = mem_zero(count, sizeof(*fds));
    while (open) {
        bool more = false;
        open = 0;
        for (size_t i = 0; i < count; i++) {
            fds[i] = (struct pollfd){.fd = parts[i].out, .events = POLLIN};
            open += parts[i].out >= 0;
        }
        if (open && poll(fds, (nfds_t)count, -1) < 0)
            continue;
        for (size_t i = 0; i < count; i++)
            more |= fds[i].revents && part_read(&parts[i]);
        if (more)
            news(data, parts, count);
    }
}
