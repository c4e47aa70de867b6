/*
 * Beside the monitor, for the life of one machine: makes the domain, hands on its console, hears
 * libvirt's events, does what it is told. Two processes: one that does all this, and its parent,
 * which only waits for it and clears up after it, however it ends.
 */
#include "app/domains/domains.h"

#include "app/domains/process.h"
#include "app/domains/say.h"
#include "backends/libvirt/domain_xml.h"
#include "backends/libvirt/libvirt.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"
#include "init/agent.h"

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
enum {
    DRIVE_AGAIN_MS = 200,
    DRIVE_AGAIN_MOST_MS = 3000,
    DRIVE_LAST_WORD_MS = 4000,
    DRIVE_PTY_MS = 1200,
    DRIVE_DRAIN_MS = 2000,
    DRIVE_CALL_S = 10,
    DRIVE_KILL_S = 20, /* libvirtd itself gives QEMU 15 */
    DRIVE_SNAPSHOT_S = 60,
    DRIVE_CLEAN_S = 25, /* before the monitor waits no longer */
    DRIVE_NOBODY = 3,   /* how the child leaves: nothing has been made */
};

struct drive {
    struct plan *plan; /* owned */
    virConnectPtr connection;
    virDomainPtr domain;
    struct domain_host host;
    /* owned; of a domain of others, or of another host's; NULL: it is ours, and here */
    struct domains_console *console;
    struct domains_console *agent; /* owned; of a guest of ours on another host */
    int person;                    /* owned; the console's other end, while that is away */
    int pidfd;                     /* owned; QEMU's; FD_NONE */
    int keeper;                    /* borrowed; to whoever clears up */
    int pid_watch, again;
    unsigned again_ms;
    bool paused, serving;
    bool unseen;                   /* its process */
    bool killed, off, over, noted; /* off: the guest has switched itself off */
    int status;
    char why[sizeof(((struct error *)0)->text)];
};

/* --- words ------------------------------------------------------------------------------------ */

static struct drive *ending; /* whose last words are to be said, whatever hangs */

static void say_it_hangs(void)
{
    struct error e;
    const struct plan *p = ending->plan;
    if (plan_is_far(p))
        error_set(&e, ETIMEDOUT, "libvirt does not answer: its daemon hangs, or the way there: %s",
                  p->machine.uri);
    else
        error_set(&e, ETIMEDOUT,
                  "libvirt does not answer: its daemon hangs; mend: systemctl restart libvirtd, or "
                  "end the session's libvirtd");
    domains_say(DOMAIN_FAILED, 0, 0, &e);
}

static void say_nobody_answers(void)
{
    say_it_hangs();
    _exit(DRIVE_NOBODY);
}

static void say_its_end(void)
{
    struct error why = {0};
    snprintf(why.text, sizeof(why.text), "%s", ending->why);
    domains_say(DOMAIN_ENDED, 0, ending->status, &why);
}

static void say_it_is_left(void)
{
    struct error e = {0};
    if (!ending->plan->machine.watched)
        error_set(&e, ETIMEDOUT, DOMAIN_LEFT_BEHIND, ending->plan->machine.uri);
    domains_say(DOMAIN_CLEANED, 0, 0, &e);
}

static void say_it_has_doubles(void)
{
    struct error e;
    error_set(&e, EEXIST, "several processes say to be it: it is ended through libvirt alone");
    domains_say(DOMAIN_NOTE, 0, 0, &e);
}

static void say_it_is_unseen(void)
{
    struct error e;
    error_set(&e, ESRCH,
              "its process is not seen, as where libvirt's emulator is a script that starts "
              "another program: it is ended through libvirt alone");
    domains_say(DOMAIN_NOTE, 0, 0, &e);
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
    case VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT: /* what libvirt began instead is undone */
        drive_over(d, 125, "another program took it back to a snapshot of libvirt's");
        break;
    default:
        drive_over(d, d->killed ? 137 : 125, d->killed ? NULL : "QEMU was killed or failed");
        break;
    }
}

static void drive_call(const struct drive *d, unsigned seconds)
{
    domains_call_begin(seconds, &(struct domains_call){d->plan, d->pidfd, d->killed});
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
        domains_say(DOMAIN_FROZEN, 0, paused, NULL);
    d->paused = paused;
}

static bool drive_is_about(const struct drive *d, virDomainPtr domain)
{
    char ours[VIR_UUID_STRING_BUFLEN], theirs[VIR_UUID_STRING_BUFLEN] = "";
    domain_uuid(d->plan->id, ours);
    if (d->plan->machine.watched && (!d->domain || virDomainGetUUIDString(d->domain, ours) < 0))
        return false;
    return virDomainGetUUIDString(domain, theirs) == 0 && str_equal(ours, theirs);
}

static int on_watchdog(virConnectPtr c, virDomainPtr domain, int action, void *data)
{
    if (drive_is_about(data, domain))
        domains_say_watchdog(action);
    return 0;
}

static int on_lifecycle(virConnectPtr c, virDomainPtr domain, int event, int detail, void *data)
{
    struct drive *d = data;
    if (!drive_is_about(d, domain))
        return 0;
    if (d->serving && (event == VIR_DOMAIN_EVENT_SUSPENDED || event == VIR_DOMAIN_EVENT_RESUMED)) {
        drive_call(d, DRIVE_CALL_S);
        tell_paused(d);
        domains_call_end();
    }
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
    /* some drivers have none */
    virConnectDomainEventRegisterAny(d->connection, NULL, VIR_DOMAIN_EVENT_ID_WATCHDOG,
                                     VIR_DOMAIN_EVENT_CALLBACK(on_watchdog), d, NULL);
    return 0;
}

/* The person at a console of another host's is kept, for when it is there again. */
static void drive_hang_up(struct drive *d)
{
    if (d->console && plan_is_far(d->plan))
        d->person = domains_console_release(d->console);
    else
        domains_console_free(d->console);
    domains_console_free(d->agent);
    d->console = d->agent = NULL;
    if (d->domain)
        virDomainFree(d->domain);
    if (d->connection) {
        virConnectUnregisterCloseCallback(d->connection, on_close);
        virConnectClose(d->connection);
    }
    d->domain = NULL;
    d->connection = NULL;
}

static void on_far_end(void *data)
{
}

static void on_far_agent_end(void *data)
{
    struct drive *d = data;
    domains_console_hang_up(d->agent);
}

/* What was wanted of it meanwhile, and its console. */
static void drive_come_back(struct drive *d)
{
    struct error e = {0};
    if (d->killed && virDomainDestroy(d->domain) == 0)
        return;
    if (d->person >= 0 && domains_console_open(d->domain, NULL, TAKE_FD(d->person), on_far_end, d,
                                               &d->console, &e) < 0)
        domains_say(DOMAIN_NOTE, 0, 0, &e);
}

/* Nobody waits for a host that does not answer. */
static void drive_give_up(struct drive *d)
{
    drive_over(d, 137, DOMAIN_GIVEN_UP);
}

static void drive_try_again(struct drive *d, int timer)
{
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
    else
        drive_come_back(d);
}

/* A machine outlives its daemon: we come back to it when that is there again. */
static void on_again(int timer, void *data)
{
    drive_call(data, DRIVE_CALL_S);
    drive_try_again(data, timer);
    domains_call_end();
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
        domains_say(DOMAIN_NOTE, 0, 0, &e);
    d->noted = true;
    if (d->killed && plan_is_far(d->plan))
        drive_give_up(d);
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
    domains_say_with(&m, NULL, 0);
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
    drive_call(d, DRIVE_KILL_S);
    if (d->domain && virDomainDestroy(d->domain) == 0)
        return;
    if (plan_is_far(d->plan) && d->again >= 0)
        drive_give_up(d);
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
    domains_say(DOMAIN_SNAPPED, m->number, 0, &e);
}

/* What is not ours is only looked at: its console ends, not the machine. */
static void obey_watching(struct drive *d, const struct domain_message *m)
{
    if (m->word == DOMAIN_SHUTDOWN || m->word == DOMAIN_DESTROY)
        drive_over(d, 0, NULL);
    else if (m->word == DOMAIN_SAMPLE)
        do_sample(d);
}

static void obey(struct drive *d, struct domain_message *m, int *fds)
{
    struct error e = {0};
    m->path[sizeof(m->path) - 1] = '\0';
    if (m->word != DOMAIN_EXEC) /* which asks another process */
        drive_call(d, m->word == DOMAIN_SNAPSHOT ? DRIVE_SNAPSHOT_S : DRIVE_CALL_S);
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
        domains_say(DOMAIN_PAUSED, 0, 0, &e);
        break;
    case DOMAIN_SAMPLE:
        do_sample(d);
        break;
    case DOMAIN_SNAPSHOT:
        do_snapshot(d, m);
        break;
    case DOMAIN_EXEC:
        domains_command(d->plan, m, fds);
        break;
    case DOMAIN_EXECED: /* ours to say */
    case DOMAIN_EXITED:
    case DOMAIN_STARTED:
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
    int fds[DOMAIN_FDS_MAX] = {FD_NONE, FD_NONE, FD_NONE};
    size_t count = DOMAIN_FDS_MAX;
    ssize_t n = fd_receive(fd, &m, sizeof(m), fds, &count);
    if (n == (ssize_t)sizeof(m))
        obey(d, &m, fds);
    domains_call_end();
    for (size_t i = 0; i < DOMAIN_FDS_MAX; i++)
        fd_close(fds[i]);
    if (n == (ssize_t)sizeof(m)) {
        return;
    } else if (n != -EAGAIN && n != -EINTR) {
        virEventRemoveHandle(watch);
        drive_over(d, 137, NULL);
    }
}

/* --- the life of it --------------------------------------------------------------------------- */

static void on_nothing(int timer, void *data)
{
}

/* It has not just ended, which was told by now. */
static void on_unseen(int timer, void *data)
{
    virEventRemoveTimeout(timer);
    say_it_is_unseen();
}

/* Whoever clears up may have to end it when nobody has found it yet, and libvirt hangs. */
static void drive_expect(const struct drive *d, const char *program)
{
    char uuid[DOMAIN_UUID_SIZE];
    domain_uuid(d->plan->id, uuid);
    if (program)
        process_expect(d->keeper,
                       &(struct process_mark){.uuid = uuid,
                                              .program = program,
                                              .uid = d->host.other ? d->host.uid : geteuid()});
}

static int drive_begin(struct drive *d, struct error *e)
{
    autofree char *program = NULL;
    domains_limit(CONNECT_S, say_nobody_answers);
    if (virEventRegisterDefaultImpl() < 0)
        return domains_error(e, "libvirt");
    const char *watched = d->plan->machine.watched;
    d->connection = domains_connect(d->plan->machine.uri, e);
    if (!d->connection)
        return -e->code;
    bool far = plan_is_far(d->plan);
    domains_limit(CONNECT_S, say_it_hangs);
    int r = watched || far ? 0 : domains_host(d->connection, &d->host, &program, e);
    if (r == 0 && !watched)
        r = far ? domains_far_make(d->connection, d->plan, e)
                : domains_make_disks(d->plan, &d->host, e);
    domains_limit(CONNECT_S, say_it_hangs);
    if (r == 0)
        r = listen_to(d, e);
    if (r < 0)
        return r;
    drive_expect(d, program);
    d->domain = watched ? domains_lookup(d->connection, watched, e)
                        : domains_make(d->connection, d->plan, &d->host, e);
    return d->domain ? 0 : -e->code;
}

static void on_console_end(void *data)
{
    drive_over(data, 0, NULL);
}

/* Its console, or that channel of it, through libvirt. */
static int drive_stream(struct drive *d, const char *channel, void (*ended)(void *data),
                        struct domains_console **to, int *ret_fd, struct error *e)
{
    int pair[2];
    int r = fd_socketpair(pair);
    if (r < 0)
        return error_errno(e, -r, "a channel for its console");
    r = domains_console_open(d->domain, channel, pair[0], ended, d, to, e);
    if (r < 0)
        fd_close(pair[1]);
    else
        *ret_fd = pair[1];
    return r;
}

static int drive_watch(struct drive *d, struct error *e)
{
    autoclose int console = FD_NONE;
    int r = drive_stream(d, NULL, on_console_end, &d->console, &console, e);
    if (r < 0)
        return r;
    domains_limit(0, NULL);
    struct domain_message m = {.word = DOMAIN_STARTED};
    domains_say_with(&m, &console, 1);
    return 0;
}

/*
 * QEMU looks but once a second whether somebody has opened its pty, tells nobody when it has seen
 * that, and drops what is said until then: its processors stand still for so long.
 */
static void drive_await_pty(void)
{
    struct pollfd p = {.fd = DOMAIN_FD_CONTROL, .events = POLLIN};
    poll(&p, 1, DRIVE_PTY_MS);
}

static int drive_release_far(struct drive *d, struct error *e)
{
    autoclose int console = FD_NONE;
    int r = drive_stream(d, NULL, on_far_end, &d->console, &console, e);
    if (r == 0 && plan_boots_image(d->plan))
        r = domains_console_open(d->domain, AGENT_PORT_NAME, DOMAIN_FD_AGENT, on_far_agent_end, d,
                                 &d->agent, e);
    if (r < 0)
        return r;
    drive_await_pty();
    if (virDomainResume(d->domain) < 0)
        return domains_error(e, "starting its processors");
    domains_limit(0, NULL);
    struct domain_message m = {.word = DOMAIN_STARTED};
    domains_say_with(&m, &console, 1);
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
    struct domain_message m = {.word = DOMAIN_STARTED};
    int found = domains_find_process(d->domain, d->plan->id, &d->host, &m.value, &d->pidfd);
    process_keep(d->keeper, d->pidfd);
    domains_limit(0, NULL);
    int fds[DOMAIN_FDS_MAX] = {console}, *last = fds;
    if (ours)
        *++last = agent;
    if (d->pidfd >= 0)
        *++last = d->pidfd;
    domains_say_with(&m, fds, (size_t)(last - fds) + 1);
    d->unseen = found < 0 && found != -EEXIST;
    if (found == -EEXIST)
        say_it_has_doubles();
    return 0;
}

static void on_drained(int timer, void *data)
{
    bool *late = data;
    *late = true;
}

/* The last of what it has said may come after the word that it has ended. */
static void drive_drain(struct drive *d)
{
    bool late = false;
    int timer = virEventAddTimeout(DRIVE_DRAIN_MS, on_drained, &late, NULL);
    while (!late && !(domains_console_is_over(d->console) && domains_console_is_over(d->agent)) &&
           virEventRunDefaultImpl() == 0)
        ;
    virEventRemoveTimeout(timer);
}

static void drive_serve(struct drive *d)
{
    virEventAddHandle(DOMAIN_FD_CONTROL, VIR_EVENT_HANDLE_READABLE | VIR_EVENT_HANDLE_HANGUP,
                      on_control, d, NULL);
    if (d->pidfd >= 0)
        d->pid_watch =
            virEventAddHandle(d->pidfd, VIR_EVENT_HANDLE_READABLE, on_process_end, d, NULL);
    virEventAddTimeout(-1, on_nothing, NULL, NULL);
    if (d->unseen)
        virEventAddTimeout(DRIVE_LAST_WORD_MS, on_unseen, NULL, NULL);
    d->serving = true;
    while (!d->over && virEventRunDefaultImpl() == 0)
        ;
    domains_limit(DRIVE_CLEAN_S, say_its_end);
    if (plan_is_far(d->plan))
        drive_drain(d);
}

/* One that ended of itself has a system on its disk, as far as anybody here can know. */
static void drive_install(struct drive *d)
{
    struct error e = {0};
    if (d->status != 0 || d->why[0] || !d->domain)
        return;
    if (virDomainIsActive(d->domain) == 1)
        virDomainDestroy(d->domain);
    domains_limit(0, NULL); /* a disk may have to be copied */
    if (domains_install_keep(d->plan, &e) == 0)
        return;
    d->status = 125;
    snprintf(d->why, sizeof(d->why), "%s", e.text);
}

/* 0: told; 1: it never started, and that has been told. */
static int drive(struct plan *p, int keeper)
{
    struct drive d = {.plan = p, .pidfd = FD_NONE, .again = -1, .pid_watch = -1, .person = FD_NONE};
    d.keeper = keeper;
    struct error e = {0};
    ending = &d;
    int r = drive_begin(&d, &e);
    if (r == 0)
        r = p->machine.watched ? drive_watch(&d, &e)
            : plan_is_far(p)   ? drive_release_far(&d, &e)
                               : drive_release(&d, &e);
    if (r < 0) {
        domains_say(DOMAIN_FAILED, 0, 0, &e);
    } else {
        drive_serve(&d);
        if (p->machine.install)
            drive_install(&d);
        say_its_end();
    }
    struct error undone = {0};
    domains_limit(DRIVE_CLEAN_S, say_it_is_left);
    if (p->machine.watched) {
        drive_hang_up(&d);
        domains_say(DOMAIN_CLEANED, 0, 0, &undone);
        return 0;
    }
    const char *folder = plan_folder_to_forget(p);
    if (!d.connection && d.again < 0) /* nobody was there to make anything */
        r = domains_forget_folder(folder, p->id, &undone);
    else if (d.connection && d.again < 0)
        r = domains_undo(d.connection, p->machine.uri, p->id, folder, &undone);
    else
        r = domains_undo_by(p->machine.uri, p->id, folder, &undone);
    domains_say(DOMAIN_CLEANED, 0, 0, &undone);
    return r < 0;
}

/* Whatever becomes of the child: nothing it has made stays. */
static void clear_up(struct plan *p, int status, int keeper)
{
    struct error e = {0};
    if (WIFSIGNALED(status)) {
        error_set(&e, EIO, "cofferdam-domain was killed by signal %d", WTERMSIG(status));
        domains_say(DOMAIN_ENDED, 0, 125, &e);
    }
    e = (struct error){0};
    process_end_kept(keeper);
    const char *folder = plan_folder_to_forget(p);
    struct drive d = {.plan = p};
    ending = &d;
    domains_limit(DRIVE_CLEAN_S, say_it_is_left);
    bool nobody = WIFEXITED(status) && WEXITSTATUS(status) == DRIVE_NOBODY;
    if (nobody && !p->machine.watched)
        domains_forget_folder(folder, p->id, &e);
    else if (!p->machine.watched)
        domains_undo_by(p->machine.uri, p->id, folder, &e);
    domains_say(DOMAIN_CLEANED, 0, 0, &e);
}

int domains_drive(void)
{
    struct plan *p = NULL;
    struct error e;
    int status = 0, pair[2];
    pid_t child = -1;
    if (read_plan(&p, &e) == 0 && (fd_socketpair(pair) < 0 || (child = fork()) < 0))
        error_errno(&e, errno, "cofferdam-domain");
    if (child < 0) {
        domains_say(DOMAIN_FAILED, 0, 0, &e);
        return 1;
    }
    if (child == 0) {
        fd_close(pair[0]);
        _exit(drive(p, pair[1]));
    }
    fd_close(pair[1]);
    if (plan_is_far(p) && plan_boots_image(p))
        fd_close(DOMAIN_FD_AGENT); /* the child's */
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (status != 0)
        clear_up(p, status, pair[0]);
    plan_free(p);
    return 0;
}
