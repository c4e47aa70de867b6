/* cofferdam logs: what a workload has written, from its monitor or from what was kept. */
#include "app/cli/running.h"
#include "app/cli/verbs.h"
#include "app/plan/plan.h"
#include "base/fd.h"
#include "base/file.h"
#include "console/client.h"
#include "console/filter.h"
#include "console/log.h"
#include "console/state.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

// clang-format off
static const struct option_row logs_options[] = {
    {"follow", 'f', NULL, "go on until the workload ends", NULL},
    {"since",  's', "WHEN", "a duration (10m) ago, or YYYY-MM-DD[THH:MM[:SS]]", NULL},
    {"kernel", 'k', NULL, "what the kernel of its guest has printed", NULL},
    {"raw",    0,   NULL, "the bytes a recorded terminal got; only to a file or a pipe", NULL},
    {0},
};
// clang-format on

/* Where it goes: a terminal gets text and colours, anything else the bytes. */
struct sink {
    bool filtered, ended, broken, closed;
    struct filter filter;
    struct error error;
};

static void sink_write(struct sink *s, const char *data, size_t size)
{
    if (s->broken)
        return;
    if (!s->filtered) {
        s->broken = fd_write_full(STDOUT_FILENO, data, size) < 0;
        return;
    }
    autobuf text = {0};
    filter_feed(&s->filter, data, size, &text);
    if (text.used)
        s->broken = fd_write_full(STDOUT_FILENO, text.data, text.used) < 0;
}

static void sink_init(struct sink *s)
{
    *s = (struct sink){.filtered = isatty(STDOUT_FILENO)};
    if (s->filtered) {
        struct render_terminal t;
        render_terminal_detect(&t);
        filter_init(&s->filter, &t);
    }
}

static void sink_end(struct sink *s)
{
    if (!s->filtered)
        return;
    autobuf text = {0};
    filter_end(&s->filter, &text);
    if (text.used)
        fd_write_full(STDOUT_FILENO, text.data, text.used);
}

/* --- of a living one -------------------------------------------------------------------------- */

static void on_log(void *data, const char *bytes, size_t size, bool last)
{
    struct sink *s = data;
    sink_write(s, bytes, size);
    s->ended |= last;
}

static void on_closed(void *data, const char *why)
{
    struct sink *s = data;
    s->closed = true;
    error_set(&s->error, EPIPE, "%s", why);
}

static const struct client_events log_events = {.log = on_log, .closed = on_closed};

/* What is asked of each workload. */
struct wanted {
    bool follow, kernel;
    int64_t since;
};

static int from_monitor(const struct dirs *d, const struct state_record *r, const struct wanted *w,
                        struct sink *s, struct error *e)
{
    struct client *client;
    autofree char *path = state_socket_path(d, r->id);
    if (client_connect(path, &log_events, s, &client, e) < 0)
        return -e->code;
    client_ask_log(client, w->kernel ? CLIENT_LOG_KERNEL : CLIENT_LOG_MAIN, w->follow, w->since);
    while (!s->ended && !s->closed && !s->broken) {
        struct pollfd p[2] = {
            {.fd = client_fd(client), .events = POLLIN},
            {.fd = STDOUT_FILENO                      }
        }; /* who reads us may go */
        if (client_wants_write(client))
            p[0].events |= POLLOUT;
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        if (p[1].revents & POLLERR)
            break;
        client_dispatch(client);
    }
    client_free(client);
    if (!s->ended && s->closed)
        *e = s->error;
    return !s->ended && s->closed ? -e->code : 0;
}

/* --- of an ended one -------------------------------------------------------------------------- */

static void one_file(int dir, const char *name, int64_t since, struct sink *s)
{
    autofree char *text = NULL;
    size_t size = 0, at = 0;
    struct log_chunk head;
    const char *bytes;
    if (file_read(dir, name, 2u * LOG_FILE, &text, &size) < 0)
        return;
    while ((bytes = console_log_parse(text, size, &at, &head)))
        if (head.at_ms >= since)
            sink_write(s, bytes, head.size);
}

static int open_kept(const struct dirs *d, const struct state_record *r, struct error *e)
{
    autofree char *path = str_format("%s/workloads/%s", d->state, r->id);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 && state_phase_lives(r->phase))
        return error_set(
            e, ENOENT, "%s is not recorded: that is for console.record = yes and --keep", r->name);
    return dir < 0 ? error_set(e, ENOENT, "nothing was kept of %s", r->name) : dir;
}

static int from_files(const struct dirs *d, const struct state_record *r, const struct wanted *w,
                      struct sink *s, struct error *e)
{
    autoclose int dir = open_kept(d, r, e);
    if (dir < 0)
        return dir;
    if (w->kernel) {
        one_file(dir, "kernel", w->since, s);
        return 0;
    }
    one_file(dir, "log.old", w->since, s);
    one_file(dir, "log", w->since, s);
    return 0;
}

static int raw_bytes(const struct dirs *d, const struct state_record *r, struct error *e)
{
    if (isatty(STDOUT_FILENO))
        return error_set(e, EPERM,
                         "--raw gives a workload's own escape sequences: only to a file "
                         "or a pipe");
    autoclose int dir = open_kept(d, r, e);
    if (dir < 0)
        return dir;
    autoclose int fd = openat(dir, "record", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, ENOENT, "%s was not recorded (console.record = yes with a terminal)",
                         r->name);
    char chunk[65536];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof(chunk))) > 0)
        if (fd_write_full(STDOUT_FILENO, chunk, (size_t)n) < 0)
            break;
    return 0;
}

static int parse_since(const char *text, int64_t *ret)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d %H:%M", "%Y-%m-%d"};
    uint64_t ms;
    if (str_to_duration(text, &ms) == 0) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        *ret = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - (int64_t)ms;
        *ret = MAX(*ret, 1);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        struct tm tm = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &tm);
        if (end && !*end) {
            *ret = (int64_t)mktime(&tm) * 1000;
            return 0;
        }
    }
    return -EINVAL;
}

static int logs_of(const struct cli *c, const struct dirs *d, const struct state_record *r,
                   void *data)
{
    const struct wanted *w = data;
    struct error e;
    struct sink s;
    if (w->kernel && !str_equal(r->boundary, plan_boundary_name(PLAN_MICROVM))) {
        error_set(&e, ENOTSUP, "%s: only a microVM has a kernel that is heard apart", r->name);
        return cli_fail(c, &e);
    }
    if (cli_switch(c, "raw"))
        return raw_bytes(d, r, &e) < 0 ? cli_fail(c, &e) : 0;
    sink_init(&s);
    int result =
        state_phase_lives(r->phase) ? from_monitor(d, r, w, &s, &e) : from_files(d, r, w, &s, &e);
    sink_end(&s);
    return result < 0 ? cli_fail(c, &e) : 0;
}

static int logs_run(struct cli *c)
{
    struct wanted w = {.follow = cli_switch(c, "follow"), .kernel = cli_switch(c, "kernel")};
    const char *when = cli_option(c, "since");
    if (when && parse_since(when, &w.since) < 0)
        return cli_usage(c, "--since: \"%s\" is neither a duration nor a date", when);
    if (w.kernel && cli_switch(c, "raw"))
        return cli_usage(c, "--raw is of the workload's terminal");
    if (c->args_count > 1 && (w.follow || cli_switch(c, "raw")))
        return cli_usage(c, "--follow and --raw are for one workload");
    return workloads_verb(c, logs_of, &w);
}

const struct verb verb_logs = {
    .name = "logs",
    .group = "Watch",
    .usage = "[OPTION…] WORKLOAD…",
    .summary = "show what a workload has written",
    .options = logs_options,
    .flags = VERB_WORKLOADS,
    .run = logs_run,
};
