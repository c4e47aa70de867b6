/*
 * The native backend without CLI and monitor: builds a plan from a profile and --set, launches it
 * through launch_ops, copies the streams and leaves with the workload's status.
 *
 *   native-run [--profile NAME] [--set S.K=V]… [--env K=V]… [--repeat N] [--json] -- COMMAND…
 */
#include "app/plan/plan.h"
#include "backends/native/native.h"
#include "base/dirs.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/loop.h"
#include "base/module.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct run {
    bool ended;
    int status;
};

static void on_started(void *d, uint32_t c, pid_t pid, struct launch_streams *s)
{
}
static void on_failed(void *d, uint32_t c, const struct error *e)
{
}
static void on_exited(void *d, uint32_t c, int status)
{
}
static void on_copied(void *d, uint32_t t, const struct error *e)
{
}
static void on_ended(void *d, int status, const char *why)
{
    struct run *r = d;
    if (r->ended)
        fprintf(stderr, "native-run: ended twice\n");
    r->ended = true;
    r->status = status;
    if (why)
        fprintf(stderr, "native-run: %s\n", why);
}
static const struct launch_events events = {on_started, on_failed, on_exited, on_copied, on_ended};

static int on_journal(void *data, const char *kind, const char *what, struct error *e)
{
    if (!str_empty(getenv("NATIVE_RUN_JOURNAL")))
        fprintf(stderr, "journal: %s %s\n", kind, what);
    return 0;
}

/* Copies what is there; closes at the end. */
static void drain(int *from, int to)
{
    char b[65536];
    ssize_t n = read(*from, b, sizeof(b));
    if (n > 0)
        fd_write_full(to, b, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        *from = fd_close(*from);
}

static void serve(struct launch *l, struct launch_streams *s, struct run *r)
{
    const struct launch_ops *ops = &native_launch_ops;
    s->in = fd_close(s->in);
    while (!r->ended || s->out >= 0 || s->err >= 0 || s->terminal >= 0) {
        struct pollfd p[7];
        int fds[4];
        size_t n = ops->watch(l, fds), count = 0;
        for (size_t i = 0; i < n; i++)
            p[count++] = (struct pollfd){.fd = fds[i], .events = POLLIN};
        p[count++] = (struct pollfd){.fd = s->out, .events = POLLIN};
        p[count++] = (struct pollfd){.fd = s->err, .events = POLLIN};
        p[count++] = (struct pollfd){.fd = s->terminal, .events = POLLIN};
        poll(p, count, -1);
        if (p[n].revents)
            drain(&s->out, 1);
        if (p[n + 1].revents)
            drain(&s->err, 2);
        if (p[n + 2].revents)
            drain(&s->terminal, 1);
        bool ready = false;
        for (size_t i = 0; i < n; i++)
            ready |= p[i].revents != 0;
        if (ready)
            ops->dispatch(l, &events, r);
    }
}

static int die(const char *what, const struct error *e)
{
    fprintf(stderr, "native-run: %s: %s\n", what, e->text);
    return e->code == ENOENT ? 127 : e->code == EACCES || e->code == ENOEXEC ? 126 : 125;
}

/* The least each took: open, start, run, clean and free. Microseconds. */
static uint64_t phases[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

static int run_once(const char *json, struct launch_env *env, bool shortfalls, struct error *e)
{
    const struct launch_ops *ops = &native_launch_ops;
    struct launch *l;
    uint64_t times[5] = {loop_now_us()};
    if (ops->open(json, strlen(json), env, &l, e) < 0)
        return die("open", e);
    struct launch_streams s;
    times[1] = loop_now_us();
    if (ops->start(l, &s, e) < 0) {
        int status = die("start", e);
        ops->free(l);
        return status;
    }
    for (char *const *f = ops->shortfalls(l); shortfalls && *f; f++)
        fprintf(stderr, "shortfall: %s\n", *f);
    struct run r = {false, 0};
    times[2] = loop_now_us();
    serve(l, &s, &r);
    times[3] = loop_now_us();
    if (ops->clean(l, e) < 0)
        die("clean", e);
    ops->free(l);
    times[4] = loop_now_us();
    for (size_t i = 0; i < 4; i++)
        phases[i] = MIN(phases[i], times[i + 1] - times[i]);
    return r.status;
}

int main(int argc, char **argv)
{
    struct error e;
    struct settings settings;
    struct profile_path path;
    const char *profile = "contained";
    autostrv char **env = NULL;
    unsigned repeat = 1;
    bool json_only = false, shortfalls = false, tty = false;
    settings_init(&settings);
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--profile") == 0)
            profile = argv[++i];
    if (profile_path_init(&path, &e) < 0 || profile_load(&path, profile, &settings, &e) < 0)
        return die("profile", &e);
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--profile") == 0)
            i++;
        else if (strcmp(argv[i], "--env") == 0)
            strv_add(&env, argv[++i]);
        else if (strcmp(argv[i], "--repeat") == 0)
            repeat = (unsigned)atoi(argv[++i]);
        else if (strcmp(argv[i], "--json") == 0)
            json_only = true;
        else if (strcmp(argv[i], "--tty") == 0)
            tty = true;
        else if (strcmp(argv[i], "--shortfalls") == 0)
            shortfalls = true;
        else if (strcmp(argv[i], "--set") == 0 &&
                 settings_assign(&settings, argv[++i], "--set", &e) < 0)
            return die("set", &e);
    }
    uint64_t random;
    if (getrandom(&random, sizeof(random), 0) < 0)
        return 125;
    autofree char *id = str_format("%012llx", (unsigned long long)(random & 0xffffffffffffull));
    autofree char *cwd = getcwd(NULL, 0);
    struct plan_request request = {.id = id,
                                   .profile = profile,
                                   .argv = argv + i + 1,
                                   .env = env,
                                   .cwd = cwd,
                                   .terminal_wanted = tty};
    struct plan_host host;
    struct plan *plan;
    if (plan_host_read(&host, &e) < 0 || plan_build(&settings, &request, &host, &plan, &e) < 0)
        return die("plan", &e);
    if (native_backend.check(plan, &host, &e) < 0)
        return die("check", &e);
    autofree char *json = plan_to_json(plan, json_only);
    if (json_only) {
        puts(json);
        return 0;
    }
    struct dirs dirs;
    if (dirs_init(&dirs, &e) < 0 || file_make_dirs(dirs.runtime, 0700) < 0)
        return die("dirs", &e);
    autofree char *init = module_program("cofferdam-init");
    struct launch_env launch_env = {
        .init = open(init, O_PATH | O_CLOEXEC),
        .runtime_dir = FD_NONE,
        .state_dir = FD_NONE,
        .system_runtime_dir = dirs.runtime,
        .rows = 24,
        .cols = 80,
        .journal = on_journal,
    };
    if (native_backend.prepare(plan, &launch_env.filter, &e) < 0)
        return die("prepare", &e);
    int status = 0;
    uint64_t best = UINT64_MAX, total = 0;
    for (unsigned n = 0; n < repeat; n++) {
        uint64_t begin = loop_now_us();
        status = run_once(json, &launch_env, shortfalls, &e);
        uint64_t took = loop_now_us() - begin;
        best = MIN(best, took);
        total += took;
    }
    if (repeat > 1)
        fprintf(stderr, "%u runs: least %llu us, mean %llu us\n", repeat, (unsigned long long)best,
                (unsigned long long)(total / repeat));
    for (size_t k = 0; repeat > 1 && k < 4; k++)
        fprintf(stderr, "%s %llu us%s", (const char *[]){"open", "start", "run", "clean"}[k],
                (unsigned long long)phases[k], k < 3 ? ", " : "\n");
    fd_close(launch_env.filter);
    fd_close(launch_env.init);
    dirs_done(&dirs);
    plan_free(plan);
    plan_host_done(&host);
    settings_done(&settings);
    profile_path_done(&path);
    return status;
}
