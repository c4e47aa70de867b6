/*
 * cofferdam-monitor RUNTIME_DIR STATE_DIR
 *
 * Started by the CLI and the TUI, once for each workload; never by a person. It is born with a
 * socket, descriptor 3, on which birth.h tells what to start.
 */
#include "app/monitor/birth.h"
#include "app/monitor/launches.h"
#include "backends/changes_json.h"
#include "base/fd.h"
#include "base/module.h"
#include "console/link.h"
#include "console/monitor.h"

#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLAN_MOST = 1024 * 1024 };

static char **arguments;
static struct birth birth;

/* Nothing of the starter's stays: not its terminal, not its descriptors. */
static void leave_home(void)
{
    setsid();
    umask(077);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    close_range(BIRTH_CLIENT_FD + 1, ~0u, 0);
}

static int read_plan(int fd, const char **ret, size_t *ret_size, struct error *e)
{
    const int wanted = F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & wanted) != wanted)
        return error_set(e, EINVAL, "what was handed over is no sealed plan");
    if (fstat(fd, &st) < 0 || st.st_size < 1 || st.st_size > PLAN_MOST)
        return error_set(e, EINVAL, "the plan is empty or too large");
    void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED)
        return error_errno(e, errno, "mapping the plan");
    *ret = text;
    *ret_size = (size_t)st.st_size;
    return 0;
}

/* The socket, if there is one to hear from. */
static int read_arguments(int argc, char **argv, struct monitor_setup *s, struct error *e)
{
    struct stat st;
    if (argc != 3 || argv[1][0] != '/' || argv[2][0] != '/' || fstat(BIRTH_CLIENT_FD, &st) < 0 ||
        !S_ISSOCK(st.st_mode))
        return error_set(e, EINVAL, "cofferdam-monitor is started by cofferdam, not by hand");
    fd_cloexec(BIRTH_CLIENT_FD, 1);
    s->runtime_dir = argv[1];
    s->state_dir = argv[2];
    s->client = BIRTH_CLIENT_FD;
    return 0;
}

/* Begins what will probably be wanted. Returns -EPIPE where the starter has given up. */
static int await_forecast(struct monitor_setup *s, struct launch_ahead *ahead, struct error *e)
{
    struct birth_forecast f;
    int r = birth_hear_forecast(s->client, &f);
    if (r < 0)
        return error_errno(e, -r, "hearing what to prepare");
    const struct launch_ops *ops = launch_ops_find(f.runtime);
    if (ops && ops->foresee)
        ops->foresee(f.shape, s->init, ahead);
    return 0;
}

/* Returns -EPIPE where the starter has given up. */
static int await_birth(struct monitor_setup *s, struct error *e)
{
    struct birth_fds fds = {FD_NONE, FD_NONE, FD_NONE};
    int r = birth_receive(s->client, &birth, &fds);
    if (r < 0)
        return error_errno(e, -r, "hearing what to start");
    s->plan_fd = fds.plan;
    s->filter = fds.filter;
    s->earlier = fds.earlier;
    s->id = birth.id;
    s->kept = birth.kept;
    s->rows = birth.rows;
    s->cols = birth.cols;
    s->restarts = birth.restarts;
    if (!birth.client)
        s->client = fd_close(s->client);
    return 0;
}

static int open_init(const char *program)
{
    autofree char *path = module_program(program);
    int fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? FD_NONE : fd;
}

/* In the spare child, unconfined: this program once more, with the same plan and filter. */
static void again(const struct monitor_setup *s)
{
    struct birth b = birth;
    int pair[2];
    b.restarts = s->restarts;
    b.client = false;
    const struct birth_fds fds = {s->plan_fd, s->filter, s->earlier};
    if (fd_socketpair(pair) < 0 || birth_foretell(pair[0], NULL, 0) < 0 ||
        birth_send(pair[0], &b, &fds) < 0)
        return;
    close(pair[0]);
    if (pair[1] != BIRTH_CLIENT_FD) {
        dup2(pair[1], BIRTH_CLIENT_FD);
        close(pair[1]);
    }
    fd_cloexec(BIRTH_CLIENT_FD, 0);
    execv("/proc/self/exe", arguments);
}

/* Before there is a monitor to do it. */
static int refuse(int client, const struct error *e)
{
    int32_t code = EIO; /* what is wrong is never the command here */
    struct link l;
    if (client < 0) {
        dprintf(2, "cofferdam-monitor: %s\n", e->text);
        return 125;
    }
    link_init(&l, client, false);
    link_put(&l, WIRE_FAILED, 0, 0, &code, sizeof(code), e->text, strlen(e->text));
    link_send(&l);
    link_done(&l);
    return 125;
}

int main(int argc, char **argv)
{
    struct error e;
    struct launch_ahead ahead = {0};
    struct monitor_setup s = {.client = FD_NONE,
                              .ahead = &ahead,
                              .plan_fd = FD_NONE,
                              .filter = FD_NONE,
                              .earlier = FD_NONE,
                              .changes = changes_report,
                              .again = again};
    arguments = argv;
    mallopt(M_TRIM_THRESHOLD, 64 * 1024);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    if (read_arguments(argc, argv, &s, &e) < 0)
        return refuse(s.client, &e);
    leave_home();
    s.init = open_init("cofferdam-init");
    json_object_seed(1); /* our own few keys: no need to open /dev/urandom */
    int r = await_forecast(&s, &ahead, &e);
    if (r == 0)
        r = await_birth(&s, &e);
    if (r < 0)
        launch_ahead_end(&ahead);
    if (r == -EPIPE)
        return 0;
    if (r < 0 || read_plan(s.plan_fd, &s.plan, &s.plan_size, &e) < 0)
        return refuse(s.client, &e);
    launch_ahead_tell(&ahead, s.plan_fd, s.filter); /* it reads while we make our folder */
    const struct launch_ops *ops = launch_ops_find(birth.runtime);
    if (!ops) {
        launch_ahead_end(&ahead);
        error_set(&e, EOPNOTSUPP, "this version cannot start the runtime \"%s\"", birth.runtime);
        return refuse(s.client, &e);
    }
    if (ops->init) {
        fd_close(s.init);
        s.init = open_init(ops->init);
    }
#ifdef MONITOR_UNCONFINED
    s.unconfined = true;
#endif
    int status = monitor_run(ops, &s);
    launch_ahead_end(&ahead); /* if it never came to a start */
    return status;
}
