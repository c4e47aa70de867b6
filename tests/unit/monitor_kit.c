#include "tests/unit/monitor_kit.h"

#include "backends/fake/fake_launch.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"
#include "console/monitor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

enum { BOUND_MS = 30000 };

/* The fake makes nothing outside; its journal's lines are checked by what they leave. */
int launch_undo(const char *kind, const char *what, struct error *e)
{
    if (!str_equal(kind, "fake"))
        return error_set(e, EINVAL, "not a fake's line");
    return unlink(what) < 0 && errno != ENOENT ? error_errno(e, errno, "undo") : 0;
}

void kit_init(struct kit *k)
{
    char folder[] = "/tmp/cofferdam-unit-XXXXXX";
    *k = (struct kit){0};
    assert_non_null(mkdtemp(folder));
    k->folder = str_dup(folder);
    k->dirs.runtime = str_format("%s/run", folder);
    k->dirs.state = str_format("%s/state", folder);
}

static void on_screen(void *data, uint32_t console, struct cells *c)
{
    struct seen *s = data;
    autobuf b = {0};
    for (uint16_t row = 0; row < c->rows; row++) {
        size_t end = b.used;
        for (uint16_t col = 0; col < c->cols; col++) {
            char utf8[4];
            uint32_t ch = c->cell[(size_t)row * c->cols + col].chars[0];
            buf_add(&b, utf8, str_utf8_encode(ch ? ch : ' ', utf8));
            if (ch && ch != ' ')
                end = b.used;
        }
        b.used = end;
        buf_putc(&b, '\n');
    }
    free(s->text);
    s->text = buf_take(&b);
    s->rows = c->rows;
    s->cols = c->cols;
    s->screens++;
}

static void on_stream(void *data, uint32_t console, int stream, const char *bytes, size_t size)
{
    struct seen *s = data;
    buf_add(stream == 1 ? &s->out : &s->err, bytes, size);
    if (!size)
        *(stream == 1 ? &s->out_ended : &s->err_ended) = true;
}

static void on_role(void *data, uint32_t console, bool may_type, unsigned viewers)
{
    struct seen *s = data;
    s->may_type = may_type;
    s->viewers = viewers;
}

static void on_history(void *data, uint32_t console, uint64_t first,
                       const struct cell *const *lines, const uint16_t *cols, size_t count)
{
    struct seen *s = data;
    s->history_first = first;
    s->history_count = count;
}

static void on_started(void *data, uint32_t console)
{
    ((struct seen *)data)->starts++;
}

static void on_exited(void *data, uint32_t console, int status, const char *reason)
{
    struct seen *s = data;
    s->exits++;
    s->status = status;
    free(s->reason);
    s->reason = str_dup_or_null(reason);
}

static void on_failed(void *data, uint32_t console, const struct error *e)
{
    struct seen *s = data;
    s->fails++;
    s->fail_code = e->code;
}

static void on_state(void *data, const char *json, size_t size)
{
    struct seen *s = data;
    s->state.used = 0;
    buf_add(&s->state, json, size);
}

static void on_sample(void *data, const struct wire_sample *sample)
{
    struct seen *s = data;
    s->sample = *sample;
    s->sampled = true;
}

static void on_done(void *data, uint32_t request, const struct error *e)
{
    struct seen *s = data;
    s->dones++;
    s->done_errors += e != NULL;
}

static void on_log(void *data, const char *bytes, size_t size, bool last)
{
    struct seen *s = data;
    buf_add(&s->log, bytes, size);
    s->logs_ended += last;
}

static void on_report(void *data, const char *json, size_t size)
{
    buf_add(&((struct seen *)data)->report, json, size);
}

static void on_closed(void *data, const char *why)
{
    ((struct seen *)data)->closed = true;
}

static const struct client_events events = {
    .screen = on_screen,
    .stream = on_stream,
    .role = on_role,
    .history = on_history,
    .started = on_started,
    .exited = on_exited,
    .failed = on_failed,
    .state = on_state,
    .sample = on_sample,
    .done = on_done,
    .log = on_log,
    .report = on_report,
    .closed = on_closed,
};

static _Noreturn void be_monitor(struct kit *k, int socket, const char *id, const char *plan)
{
    setsid();
    struct monitor_setup setup = {.runtime_dir = k->dirs.runtime,
                                  .state_dir = k->dirs.state,
                                  .id = id,
                                  .plan = plan,
                                  .plan_size = strlen(plan),
                                  .kept = strstr(plan, "keep=always") || strstr(plan, "keep=on"),
                                  .rows = 24,
                                  .cols = 80,
                                  .client = socket,
                                  .filter = FD_NONE,
                                  .init = FD_NONE,
                                  .plan_fd = FD_NONE,
                                  .earlier = FD_NONE};
#ifdef __SANITIZE_ADDRESS__
    setup.unconfined = true;
#endif
    _exit(monitor_run(&fake_launch_ops, &setup));
}

void kit_start_as(struct kit *k, struct seen *s, const char *id, const char *name, const char *plan)
{
    int pair[2];
    assert_int_equal(fd_socketpair(pair), 0);
    autofree char *full = str_format("id=%s\nname=%s\n%s", id, name, plan);
    k->monitor = fork();
    assert_true(k->monitor >= 0);
    if (k->monitor == 0) {
        close(pair[0]);
        be_monitor(k, pair[1], id, full);
    }
    close(pair[1]);
    *s = (struct seen){0};
    s->client = client_from_fd(pair[0], &events, s);
}

void kit_start(struct kit *k, struct seen *s, const char *plan)
{
    kit_start_as(k, s, KIT_ID, "unit", plan);
}

void kit_connect(struct kit *k, struct seen *s)
{
    struct error e;
    autofree char *path = state_socket_path(&k->dirs, KIT_ID);
    *s = (struct seen){0};
    int r = client_connect(path, &events, s, &s->client, &e);
    if (r < 0)
        fail_msg("%s", e.text);
}

int kit_end(struct kit *k)
{
    int status;
    assert_int_equal(waitpid(k->monitor, &status, 0), k->monitor);
    k->monitor = 0;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void kit_done(struct kit *k)
{
    assert_int_equal(k->monitor, 0);
    file_remove_tree(AT_FDCWD, k->folder);
    free(k->folder);
    free(k->dirs.runtime);
    free(k->dirs.state);
}

void seen_leave(struct seen *s)
{
    client_free(TAKE(s->client));
}

void seen_done(struct seen *s)
{
    client_free(s->client);
    free(s->text);
    free(s->reason);
    buf_done(&s->out);
    buf_done(&s->err);
    buf_done(&s->log);
    buf_done(&s->report);
    buf_done(&s->state);
}

void seen_until(struct seen *s, bool (*when)(const struct seen *s, const void *data),
                const void *data)
{
    uint64_t end = loop_now_ms() + BOUND_MS;
    while (!when(s, data)) {
        uint64_t now = loop_now_ms();
        if (now >= end || s->closed)
            fail_msg("the monitor never said it; screen: %s", s->text ? s->text : "none");
        struct pollfd p = {.fd = client_fd(s->client),
                           .events = POLLIN | (client_wants_write(s->client) ? POLLOUT : 0)};
        poll(&p, 1, (int)(end - now));
        client_dispatch(s->client);
    }
}

bool seen_exit(const struct seen *s, const void *unused)
{
    return s->exits;
}
bool seen_done_once(const struct seen *s, const void *unused)
{
    return s->dones;
}
bool seen_text(const struct seen *s, const void *what)
{
    return s->text && strstr(s->text, what);
}
bool seen_out(const struct seen *s, const void *what)
{
    return s->out.data && strstr(s->out.data, what);
}
bool seen_start(const struct seen *s, const void *unused)
{
    return s->starts;
}
bool seen_fail(const struct seen *s, const void *unused)
{
    return s->fails;
}
bool seen_close(const struct seen *s, const void *unused)
{
    return s->closed;
}
bool seen_typist(const struct seen *s, const void *unused)
{
    return s->may_type;
}
bool seen_log_end(const struct seen *s, const void *unused)
{
    return s->logs_ended;
}
bool seen_state(const struct seen *s, const void *unused)
{
    return s->state.used;
}

bool seen_sample(const struct seen *s, const void *unused)
{
    return s->sampled;
}
