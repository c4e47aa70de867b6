/*
 * Beside the monitor, for the life of one machine: makes the domain, hands on its console, hears
 * libvirt's events, does what it is told. Two processes: one that does all this, and its parent,
 * which only waits for it and clears up after it, however it ends.
 */
#include "app/domains/domains.h"

#include "backends/libvirt/domain_xml.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* libvirtd tells of an end when init has reaped the process, which can take it seconds */
enum { DRIVE_AGAIN_MS = 200, DRIVE_AGAIN_MOST_MS = 3000, DRIVE_LAST_WORD_MS = 4000 };

struct drive {
    struct plan *plan; /* owned */
    virConnectPtr connection;
    virDomainPtr domain;
    struct domains_console *console; /* owned; of a domain of others; NULL: it is ours */
    int pidfd;                       /* owned; QEMU's; FD_NONE */
    int pid_watch, again;
    unsigned again_ms;
    bool paused, serving;
    bool killed, off, over, noted; /* off: the guest has switched itself off */
    int status;
    char why[256];
};

/* --- words ------------------------------------------------------------------------------------ */

static void say_with(struct domain_message *m, const int *fds, size_t count)
{
    fd_send(DOMAIN_FD_CONTROL, m, sizeof(*m), fds, count);
}

static void say(enum domain_word word, uint32_t number, int32_t value, const struct error *e)
{
    struct domain_message m = {.word = word, .number = number, .value = value};
    if (e)
        m.error = *e;
    say_with(&m, NULL, 0);
}

static void say_it_hangs(void)
{
    struct error e;
    error_set(&e, ETIMEDOUT,
              "libvirt does not answer: its daemon hangs; mend: systemctl restart libvirtd, or end "
              "the session's libvirtd");
    say(DOMAIN_FAILED, 0, 0, &e);
}

static int read_plan(struct plan **ret, struct error *e)
{
    struct stat st;
    if (fstat(DOMAIN_FD_PLAN, &st) < 0 || st.st_size < 1)
        return error_set(e, EINVAL, "cofferdam-domain is started by cofferdam, not by hand");
    void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, DOMAIN_FD_PLAN, 0);
    if (text == MAP_FAILED)
        return error_errno(e, errno, "the plan");
    int r = plan_from_json(text, (size_t)st.st_size, ret, e);
    munmap(text, (size_t)st.st_size);
    return r;
}

/* --- events ----------------------------------------------------------------------------------- */

static void drive_over(struct drive *d, int status, const char *why)
{
    if (d->over)
        return;
    d->over = true;
    d->status = status;
    snprintf(d->why, sizeof(d->why), "%s", why ? why : "");
}

static void stopped(struct drive *d, int detail)
{
    switch (detail) {
    case VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN:
        drive_over(d, 0, NULL);
        break;
    case VIR_DOMAIN_EVENT_STOPPED_DESTROYED:
        drive_over(d, 137, d->killed ? NULL : "it was switched off by another program");
        break;
    case VIR_DOMAIN_EVENT_STOPPED_CRASHED:
        drive_over(d, 125, "the guest crashed");
        break;
    case VIR_DOMAIN_EVENT_STOPPED_SAVED:
        drive_over(d, 0, "it was saved by another program");
        break;
    default:
        drive_over(d, d->killed ? 137 : 125, d->killed ? NULL : "QEMU was killed or failed");
        break;
    }
}

/* As it is now: several events may have come meanwhile. */
static void tell_paused(struct drive *d)
{
    int state = 0, reason;
    if (!d->domain || virDomainGetState(d->domain, &state, &reason, 0) < 0 ||
        (state != VIR_DOMAIN_PAUSED && state != VIR_DOMAIN_RUNNING))
        return;
    bool paused = state == VIR_DOMAIN_PAUSED;
    if (paused != d->paused)
        say(DOMAIN_FROZEN, 0, paused, NULL);
    d->paused = paused;
}

static int on_lifecycle(virConnectPtr c, virDomainPtr domain, int event, int detail, void *data)
{
    struct drive *d = data;
    char ours[VIR_UUID_STRING_BUFLEN], theirs[VIR_UUID_STRING_BUFLEN] = "";
    domain_uuid(d->plan->id, ours);
    if (d->plan->machine.watched && (!d->domain || virDomainGetUUIDString(d->domain, ours) < 0))
        return 0;
    if (virDomainGetUUIDString(domain, theirs) < 0 || !str_equal(ours, theirs))
        return 0;
    if (d->serving && (event == VIR_DOMAIN_EVENT_SUSPENDED || event == VIR_DOMAIN_EVENT_RESUMED))
        tell_paused(d);
    if (event == VIR_DOMAIN_EVENT_SHUTDOWN)
        d->off = true;
    if (event == VIR_DOMAIN_EVENT_STOPPED && d->domain)
        stopped(d, detail);
    return 0;
}

/* The machine's own process has ended: libvirt is about to say how, if it is there at all. */
static void on_last_word(int timer, void *data)
{
    struct drive *d = data;
    virEventRemoveTimeout(timer);
    drive_over(d, d->killed ? 137 : 125, d->killed ? NULL : "QEMU ended; libvirt did not say how");
}

static void on_process_end(int watch, int fd, int events, void *data)
{
    struct drive *d = data;
    virEventRemoveHandle(watch);
    d->pid_watch = -1;
    if (d->off || d->killed)
        drive_over(d, d->off ? 0 : 137, NULL);
    else
        virEventAddTimeout(DRIVE_LAST_WORD_MS, on_last_word, d, NULL);
}

static void on_close(virConnectPtr c, int reason, void *data);

static int listen_to(struct drive *d, struct error *e)
{
    virConnectSetKeepAlive(d->connection, KEEPALIVE_S, KEEPALIVE_COUNT);
    virConnectRegisterCloseCallback(d->connection, on_close, d, NULL);
    if (virConnectDomainEventRegisterAny(d->connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), d, NULL) < 0)
        return domains_error(e, "listening to libvirt");
    return 0;
}

static void drive_hang_up(struct drive *d)
{
    domains_console_free(d->console);
    d->console = NULL;
    if (d->domain)
        virDomainFree(d->domain);
    if (d->connection) {
        virConnectUnregisterCloseCallback(d->connection, on_close);
        virConnectClose(d->connection);
    }
    d->domain = NULL;
    d->connection = NULL;
}

/* A machine outlives its daemon: we come back to it when that is there again. */
static void on_again(int timer, void *data)
{
    struct drive *d = data;
    struct error e;
    drive_hang_up(d);
    d->connection = domains_connect(d->plan->machine.uri, &e);
    if (!d->connection || listen_to(d, &e) < 0) {
        d->again_ms = MIN(d->again_ms * 2, (unsigned)DRIVE_AGAIN_MOST_MS);
        virEventUpdateTimeout(timer, (int)d->again_ms);
        return;
    }
    virEventRemoveTimeout(timer);
    d->again = -1;
    d->domain = domains_find(d->connection, d->plan->id);
    if (!d->domain || virDomainIsActive(d->domain) == 0)
        drive_over(d, d->killed ? 137 : 0, "it ended while libvirt's daemon was away");
}

static void on_close(virConnectPtr c, int reason, void *data)
{
    struct drive *d = data;
    struct error e;
    if (d->again >= 0)
        return;
    if (d->plan->machine.watched) {
        drive_over(d, 125, "libvirt's daemon went away; attach again when it is back");
        return;
    }
    error_set(&e, EPIPE, "libvirt's daemon went away while it ran; the machine went on");
    if (!d->noted)
        say(DOMAIN_NOTE, 0, 0, &e);
    d->noted = true;
    d->again_ms = DRIVE_AGAIN_MS;
    d->again = virEventAddTimeout((int)d->again_ms, on_again, d, NULL);
}

/* --- what is asked ---------------------------------------------------------------------------- */

static uint64_t stat_number(virDomainStatsRecordPtr r, const char *name)
{
    unsigned long long n;
    return virTypedParamsGetULLong(r->params, r->nparams, name, &n) == 1 ? n : UINT64_MAX;
}

static void do_sample(struct drive *d)
{
    const unsigned what =
        VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_BLOCK;
    struct domain_message m = {.word = DOMAIN_SAMPLED};
    memset(&m.sample, 0xff, sizeof(m.sample));
    virDomainPtr list[] = {d->domain, NULL};
    virDomainStatsRecordPtr *records = NULL;
    if (!d->domain ||
        virDomainListGetStats(list, what, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT) < 1)
        return;
    uint64_t ns = stat_number(records[0], "cpu.time"), kib = stat_number(records[0], "balloon.rss");
    m.sample.cpu_us = ns == UINT64_MAX ? ns : ns / 1000;
    m.sample.memory = kib == UINT64_MAX ? kib : kib * 1024;
    m.sample.io_read = domains_blocks(records[0], "rd.bytes");
    m.sample.io_write = domains_blocks(records[0], "wr.bytes");
    m.sample.oom_kills = 0;
    virDomainStatsRecordListFree(records);
    say_with(&m, NULL, 0);
}

static int do_pause(struct drive *d, bool paused, struct error *e)
{
    int state = 0, reason;
    if (!d->domain)
        return error_set(e, ENOTCONN, "libvirt's daemon is away");
    if (virDomainGetState(d->domain, &state, &reason, 0) < 0)
        return domains_error(e, "libvirt");
    if ((state == VIR_DOMAIN_PAUSED) == paused)
        return 0;
    if ((paused ? virDomainSuspend(d->domain) : virDomainResume(d->domain)) < 0)
        return domains_error(e, "libvirt");
    return 0;
}

static void do_kill(struct drive *d)
{
    d->killed = true;
    if (d->domain && virDomainDestroy(d->domain) == 0)
        return;
    if (d->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, d->pidfd, SIGKILL, NULL, 0);
}

static void do_snapshot(struct drive *d, const struct domain_message *m)
{
    struct error e = {0};
    if (!d->domain)
        error_set(&e, ENOTCONN, "libvirt's daemon is away");
    else
        domains_snapshot(d->domain, d->plan, (unsigned)m->value, m->path, &e);
    say(DOMAIN_SNAPPED, m->number, 0, &e);
}

/* What is not ours is only looked at: its console ends, not the machine. */
static void obey_watching(struct drive *d, const struct domain_message *m)
{
    if (m->word == DOMAIN_SHUTDOWN || m->word == DOMAIN_DESTROY)
        drive_over(d, 0, NULL);
    else if (m->word == DOMAIN_SAMPLE)
        do_sample(d);
}

static void obey(struct drive *d, struct domain_message *m)
{
    struct error e = {0};
    m->path[sizeof(m->path) - 1] = '\0';
    if (d->plan->machine.watched) {
        obey_watching(d, m);
        return;
    }
    switch ((enum domain_word)m->word) {
    case DOMAIN_SHUTDOWN:
        if (d->domain)
            virDomainShutdown(d->domain);
        break;
    case DOMAIN_RESET:
        if (d->domain)
            virDomainReset(d->domain, 0);
        break;
    case DOMAIN_DESTROY:
        do_kill(d);
        break;
    case DOMAIN_PAUSE:
        do_pause(d, m->value, &e);
        say(DOMAIN_PAUSED, 0, 0, &e);
        break;
    case DOMAIN_SAMPLE:
        do_sample(d);
        break;
    case DOMAIN_SNAPSHOT:
        do_snapshot(d, m);
        break;
    case DOMAIN_STARTED: /* ours to say */
    case DOMAIN_FAILED:
    case DOMAIN_PAUSED:
    case DOMAIN_SAMPLED:
    case DOMAIN_SNAPPED:
    case DOMAIN_FROZEN:
    case DOMAIN_ENDED:
    case DOMAIN_CLEANED:
    case DOMAIN_NOTE:
        break;
    }
}

/* The monitor's word; its end is the machine's. */
static void on_control(int watch, int fd, int events, void *data)
{
    struct drive *d = data;
    struct domain_message m;
    size_t none = 0;
    ssize_t n = fd_receive(fd, &m, sizeof(m), NULL, &none);
    if (n == (ssize_t)sizeof(m)) {
        obey(d, &m);
    } else if (n != -EAGAIN && n != -EINTR) {
        virEventRemoveHandle(watch);
        drive_over(d, 137, NULL);
    }
}

/* --- the life of it --------------------------------------------------------------------------- */

static void on_nothing(int timer, void *data)
{
}

static int drive_begin(struct drive *d, struct error *e)
{
    domains_limit(CONNECT_S, say_it_hangs);
    if (virEventRegisterDefaultImpl() < 0)
        return domains_error(e, "libvirt");
    const char *watched = d->plan->machine.watched;
    int r = watched ? 0 : domains_make_disks(d->plan, e);
    if (r < 0)
        return r;
    d->connection = domains_connect(d->plan->machine.uri, e);
    if (!d->connection)
        return -e->code;
    r = listen_to(d, e);
    if (r < 0)
        return r;
    d->domain = watched ? domains_lookup(d->connection, watched, e)
                        : domains_make(d->connection, d->plan, e);
    return d->domain ? 0 : -e->code;
}

static void on_console_end(void *data)
{
    drive_over(data, 0, NULL);
}

static int drive_watch(struct drive *d, struct error *e)
{
    autoclose int console = FD_NONE;
    int r = domains_console_open(d->domain, on_console_end, d, &console, &d->console, e);
    if (r < 0)
        return r;
    domains_limit(0, NULL);
    struct domain_message m = {.word = DOMAIN_STARTED};
    say_with(&m, &console, 1);
    return 0;
}

/* Its processors go on when somebody listens to it: not a byte is lost. */
static int drive_release(struct drive *d, struct error *e)
{
    bool ours = plan_boots_image(d->plan);
    autoclose int console = domains_open_console(d->plan, e);
    autoclose int agent = ours && console >= 0 ? domains_open_agent(d->plan, e) : FD_NONE;
    if (console < 0 || (ours && agent < 0))
        return -e->code;
    if (virDomainResume(d->domain) < 0)
        return domains_error(e, "starting its processors");
    domains_limit(0, NULL);
    struct domain_message m = {.word = DOMAIN_STARTED};
    m.value = domains_find_process(d->plan->id);
    d->pidfd = m.value > 0 ? (int)syscall(SYS_pidfd_open, m.value, 0) : FD_NONE;
    int fds[DOMAIN_FDS_MAX] = {console}, *last = fds;
    if (ours)
        *++last = agent;
    if (d->pidfd >= 0)
        *++last = d->pidfd;
    say_with(&m, fds, (size_t)(last - fds) + 1);
    return 0;
}

static void drive_serve(struct drive *d)
{
    virEventAddHandle(DOMAIN_FD_CONTROL, VIR_EVENT_HANDLE_READABLE | VIR_EVENT_HANDLE_HANGUP,
                      on_control, d, NULL);
    if (d->pidfd >= 0)
        d->pid_watch =
            virEventAddHandle(d->pidfd, VIR_EVENT_HANDLE_READABLE, on_process_end, d, NULL);
    virEventAddTimeout(-1, on_nothing, NULL, NULL);
    d->serving = true;
    while (!d->over && virEventRunDefaultImpl() == 0)
        ;
}

/* What goes with it; a kept one's stays. */
static const char *drive_folder(const struct plan *p)
{
    return p->scratch || !p->machine.folder ? "-" : p->machine.folder;
}

/* 0: told; 1: it never started, and that has been told. */
static int drive(struct plan *p)
{
    struct drive d = {.plan = p, .pidfd = FD_NONE, .again = -1, .pid_watch = -1};
    struct error e = {0};
    int r = drive_begin(&d, &e);
    if (r == 0)
        r = p->machine.watched ? drive_watch(&d, &e) : drive_release(&d, &e);
    if (r < 0) {
        say(DOMAIN_FAILED, 0, 0, &e);
    } else {
        drive_serve(&d);
        struct error why = {0};
        snprintf(why.text, sizeof(why.text), "%s", d.why);
        say(DOMAIN_ENDED, 0, d.status, &why);
    }
    struct error undone = {0};
    if (p->machine.watched) {
        drive_hang_up(&d);
        say(DOMAIN_CLEANED, 0, 0, &undone);
        return 0;
    }
    const char *folder = drive_folder(p);
    domains_limit(CONNECT_S, NULL);
    if (!d.connection && d.again < 0) /* nobody was there to make anything */
        r = domains_forget_folder(folder, p->id, &undone);
    else if (d.connection && d.again < 0)
        r = domains_undo(d.connection, p->id, folder, &undone);
    else
        r = domains_undo_by(p->machine.uri, p->id, folder, &undone);
    say(DOMAIN_CLEANED, 0, 0, &undone);
    return r < 0;
}

/* Whatever becomes of the child: nothing it has made stays. */
static void clear_up(const struct plan *p, int status)
{
    struct error e = {0};
    if (WIFSIGNALED(status)) {
        error_set(&e, EIO, "cofferdam-domain was killed by signal %d", WTERMSIG(status));
        say(DOMAIN_ENDED, 0, 125, &e);
    }
    e = (struct error){0};
    pid_t left = p->machine.watched ? 0 : domains_find_process(p->id);
    if (left > 0)
        kill(left, SIGKILL);
    domains_limit(CONNECT_S, NULL);
    if (!p->machine.watched)
        domains_undo_by(p->machine.uri, p->id, drive_folder(p), &e);
    say(DOMAIN_CLEANED, 0, 0, &e);
}

int domains_drive(void)
{
    struct plan *p = NULL;
    struct error e;
    int status = 0;
    if (read_plan(&p, &e) < 0) {
        say(DOMAIN_FAILED, 0, 0, &e);
        return 1;
    }
    pid_t child = fork();
    if (child == 0)
        _exit(drive(p));
    if (child < 0) {
        error_errno(&e, errno, "cofferdam-domain");
        say(DOMAIN_FAILED, 0, 0, &e);
        return 1;
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0)
        clear_up(p, status);
    plan_free(p);
    return 0;
}
