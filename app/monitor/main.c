/*
 * cofferdam-monitor RUNTIME_DIR STATE_DIR ROWSxCOLS [RESTARTS [wait]]
 *
 * Started by the CLI and the TUI, once for each workload; never by a person. It is born with three
 * descriptors: 3 the first client's socket, 4 a sealed memfd with the plan, 5 the workload's
 * compiled seccomp filter, or nothing.
 */
#include "app/monitor/launches.h"
#include "app/plan/plan.h"
#include "backends/changes_json.h"
#include "base/fd.h"
#include "base/module.h"
#include "console/link.h"
#include "console/monitor.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLIENT_FD = 3, PLAN_FD = 4, FILTER_FD = 5, FIRST_FOREIGN_FD = 6, PLAN_MOST = 1024 * 1024 };

static char **arguments;

/* A descriptor we were born with, or none; close-on-exec from now on. */
static int born_with(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? FD_NONE : fd;
}

/* Nothing of the starter's stays: not its terminal, not its descriptors. */
static void leave_home(void)
{
    setsid();
    umask(077);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > FILTER_FD)
        close(null);
    close_range(FIRST_FOREIGN_FD, ~0u, 0);
}

static int read_plan(const char **ret, size_t *ret_size, struct error *e)
{
    const int wanted = F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    struct stat st;
    int seals = fcntl(PLAN_FD, F_GET_SEALS);
    if (seals < 0 || (seals & wanted) != wanted)
        return error_set(e, EINVAL, "descriptor %d is no sealed plan", PLAN_FD);
    if (fstat(PLAN_FD, &st) < 0 || st.st_size < 1 || st.st_size > PLAN_MOST)
        return error_set(e, EINVAL, "the plan is empty or too large");
    void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, PLAN_FD, 0);
    if (text == MAP_FAILED)
        return error_errno(e, errno, "mapping the plan");
    *ret = text;
    *ret_size = (size_t)st.st_size;
    return 0;
}

static int read_arguments(int argc, char **argv, struct monitor_setup *s, struct error *e)
{
    unsigned rows, cols;
    if (argc < 4 || argv[1][0] != '/' || argv[2][0] != '/' ||
        sscanf(argv[3], "%ux%u", &rows, &cols) != 2 || rows < 1 || cols < 1 || rows > 1000 ||
        cols > 1000)
        return error_set(e, EINVAL, "cofferdam-monitor is started by cofferdam, not by hand");
    uint64_t restarts = 0;
    if (argc > 4)
        str_to_uint(argv[4], &restarts);
    s->runtime_dir = argv[1];
    s->state_dir = argv[2];
    s->rows = (uint16_t)rows;
    s->cols = (uint16_t)cols;
    s->restarts = (unsigned)restarts;
    return 0;
}

/* Our starter is having a control group made for us; one byte, before anything else, says it is. */
static int await_scope(int argc, int client, struct error *e)
{
    char byte;
    if (argc <= 5)
        return 0;
    int r = fd_read_full(client, &byte, 1);
    return r < 0 ? error_errno(e, -r, "the starter has given up") : 0;
}

static int open_init(void)
{
    autofree char *path = module_program("cofferdam-init");
    int fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? FD_NONE : fd;
}

/* In the spare child, unconfined: this program once more, with the same plan and filter. */
static void again(const struct monitor_setup *s)
{
    char restarts[16];
    snprintf(restarts, sizeof(restarts), "%u", s->restarts);
    char *argv[] = {arguments[0], arguments[1], arguments[2], arguments[3], restarts, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null != CLIENT_FD)
        dup2(null, CLIENT_FD);
    fd_cloexec(CLIENT_FD, 0);
    fd_cloexec(PLAN_FD, 0);
    if (s->filter >= 0)
        fd_cloexec(FILTER_FD, 0);
    execv("/proc/self/exe", argv);
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
    struct monitor_setup s = {.client = born_with(CLIENT_FD),
                              .plan_fd = born_with(PLAN_FD),
                              .filter = born_with(FILTER_FD),
                              .changes = changes_report,
                              .again = again};
    struct stat st;
    arguments = argv;
    json_object_seed(1); /* our own few keys: no need to open /dev/urandom */
    mallopt(M_TRIM_THRESHOLD, 64 * 1024);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    if (s.client >= 0 && (fstat(s.client, &st) < 0 || !S_ISSOCK(st.st_mode)))
        s.client = FD_NONE;
    if (read_arguments(argc, argv, &s, &e) < 0)
        return refuse(s.client, &e);
    leave_home();
    if (await_scope(argc, s.client, &e) < 0)
        return refuse(s.client, &e);
    struct plan *plan = NULL;
    if (read_plan(&s.plan, &s.plan_size, &e) < 0 ||
        plan_from_json(s.plan, s.plan_size, &plan, &e) < 0)
        return refuse(s.client, &e);
    const struct launch_ops *ops = launch_ops_find(plan->runtime);
    if (!ops) {
        error_set(&e, EOPNOTSUPP, "this version cannot start the runtime \"%s\"", plan->runtime);
        return refuse(s.client, &e);
    }
    autofree char *id = str_dup(plan->id);
    s.id = id;
    s.kept = plan->keep != PLAN_KEEP_NEVER;
#ifdef MONITOR_UNCONFINED
    s.unconfined = true;
#endif
    plan_free(plan);
    s.init = open_init();
    return monitor_run(ops, &s);
}
