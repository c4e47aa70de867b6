#include "app/cli/launch.h"
#include "app/cli/hand_over.h"
#include "app/cli/images.h"
#include "app/cli/machine_warm.h"
#include "app/plan/handler.h"

#include "app/monitor/birth.h"
#include "backends/backend.h"
#include "backends/cgroup/scope.h"
#include "base/fd.h"
#include "base/module.h"
#include "base/spawn.h"
#include "console/state.h"

#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAUNCH_PLAN_MAX = 1 << 20 };

int launching_load(struct launching *l, const char *profile, const char *workload, struct error *e)
{
    struct profile_path path = {0};
    int r = profile_path_init(&path, e);
    if (r < 0)
        return r;
    settings_init(&l->settings);
    l->settings_ready = true;
    if (workload) {
        r = workload_load(&path, workload, &l->settings, e);
        if (r == 0)
            profile = settings_text(&l->settings, KEY_WORKLOAD_PROFILE);
    } else {
        r = profile_load(&path, profile ? profile : LAUNCH_PROFILE_DEFAULT, &l->settings, e);
    }
    if (r == 0)
        l->profile = str_dup(profile ? profile : LAUNCH_PROFILE_DEFAULT);
    profile_path_done(&path);
    return r;
}

/* What the store knows of files.image, if that is a name of its own. */
static int launching_image(struct launching *l, struct error *e)
{
    const char *image = settings_text(&l->settings, KEY_WORKLOAD_IMAGE);
    if (str_empty(image))
        image = settings_text(&l->settings, KEY_FILES_IMAGE);
    if (str_equal(image, "host") || str_starts(image, "dir:") || str_starts(image, "disk:"))
        return 0;
    const char *said = settings_text(&l->settings, KEY_ISOLATION_USER);
    enum form_user user = FORM_USER_SELF;
    uint32_t id = 0;
    if (said)
        form_user(said, &user, &id); /* what is none build_identity() refuses */
    l->image = NEW(struct images_launch);
    int r = images_launch(l->dirs.data, image, &l->host, user, l->image, e);
    l->request.image = r == 0 ? &l->image->facts : NULL;
    return r < 0 ? r : 0;
}

/* Where the boundary is a machine's: what it is put together from. */
static int launching_whole(struct launching *l, struct error *e)
{
    const char *release = settings_text(&l->settings, KEY_MACHINE_KERNEL);
    const char *image = settings_text(&l->settings, KEY_FILES_IMAGE);
    const struct machine_whole w = {
        .uri = settings_text(&l->settings, KEY_MACHINE_URI),
        .firmware = settings_text(&l->settings, KEY_MACHINE_FIRMWARE),
        .disk = str_starts(image, "disk:") ? image + 5 : "",
        .devices = settings_list(&l->settings, KEY_MACHINE_DEVICE),
        .gpu = str_equal(settings_text(&l->settings, KEY_MACHINE_GPU), "passthrough"),
        .release = str_empty(release) ? NULL : release};
    l->machine = NEW(struct machine_parts);
    int r = machine_find_whole(&l->dirs, &w, l->host.uid, l->request.image ? l->image : NULL,
                               l->machine, e);
    l->request.parts = r < 0 ? NULL : &l->machine->parts;
    return r;
}

/* Bytes of the disk that takes a machine's changes; 0: its memory does. */
static uint64_t launching_scratch(const struct settings *s)
{
    return str_equal(settings_text(s, KEY_MACHINE_SCRATCH), "disk")
               ? settings_number(s, KEY_RESOURCES_DISK)
               : 0;
}

static int launching_machine(struct launching *l, struct error *e)
{
    const struct settings *s = &l->settings;
    const char *boundary = settings_text(s, KEY_ISOLATION_BOUNDARY);
    bool whole = str_equal(boundary, "vm");
    if (whole && !str_equal(settings_text(s, KEY_ISOLATION_RUNTIME), "qemu"))
        return launching_whole(l, e);
    if (!whole && !str_equal(boundary, "microvm"))
        return 0;
    const char *release = settings_text(s, KEY_MACHINE_KERNEL);
    const char *image = settings_text(s, KEY_FILES_IMAGE);
    const struct machine_wish w = {.runtime = settings_text(s, KEY_ISOLATION_RUNTIME),
                                   .whole = whole,
                                   .disk = whole && str_starts(image, "disk:") ? image + 5 : NULL,
                                   .disk_size = settings_number(s, KEY_MACHINE_DISK_SIZE),
                                   .accel = settings_text(s, KEY_MACHINE_ACCEL),
                                   .type = settings_text(s, KEY_MACHINE_TYPE),
                                   .release = str_empty(release) ? NULL : release,
                                   .warm = settings_bool(s, KEY_MACHINE_WARM),
                                   .disks = whole ? NULL : settings_list(s, KEY_MACHINE_DISK),
                                   .leads_out =
                                       str_equal(settings_text(s, KEY_NETWORK_MODE), "private"),
                                   .scratch = launching_scratch(s),
                                   .shares = settings_text(s, KEY_MACHINE_SHARES)};
    l->machine = NEW(struct machine_parts);
    int r = machine_find_parts(&l->dirs, &w, l->request.image ? l->image : NULL, l->machine, e);
    l->request.parts = r < 0 ? NULL : &l->machine->parts;
    return r;
}

/* As long as it is cheaper to guess than to wait. */
static int launching_foretell(struct launching *l)
{
    const char *runtime = NULL;
    uint32_t shape = 0;
    struct statfs fs;
    if (!l->settings_ready || !plan_foresee(&l->settings, &runtime, &shape))
        runtime = NULL;
    /* what is begun now no user could move into a scope that the manager makes later */
    if (geteuid() != 0 && plan_host_has_manager(geteuid()))
        runtime = NULL;
    /* one is born into a control group of v2, and which that is a plan has to say */
    if (geteuid() == 0 || (statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC))
        shape &= ~(uint32_t)PLAN_NS_PID;
    l->foretold = true;
    return birth_foretell(l->socket, runtime, shape);
}

static int launching_dirs(struct launching *l, struct error *e)
{
    return l->dirs.runtime ? 0 : dirs_init(&l->dirs, e);
}

/* Where it will be and under which id, on what host. */
static int launching_place(struct launching *l, struct error *e)
{
    int r = launching_dirs(l, e);
    if (r == 0)
        r = plan_host_read(&l->host, e);
    if (r == 0)
        r = state_new_id(l->id, e);
    if (r == 0)
        l->scratch = str_format("%s/workloads/%s/scratch", l->dirs.state, l->id);
    return r;
}

int launching_build(struct launching *l, struct error *e)
{
    if (l->begun && !l->foretold)
        launching_foretell(l); /* a monitor that is gone is found out when it is told its plan */
    int r = launching_place(l, e);
    if (r < 0)
        return r;
    l->cwd = getcwd(NULL, 0);
    l->request.id = l->id;
    l->request.profile = l->profile;
    l->request.cwd = l->cwd && l->cwd[0] == '/' ? l->cwd : NULL;
    l->request.caller_env = environ;
    l->request.scratch = l->scratch;
    r = launching_image(l, e);
    if (r == 0)
        r = launching_machine(l, e);
    if (r < 0)
        return r;
    r = plan_build(&l->settings, &l->request, &l->host, &l->plan, e);
    if (r == 0)
        machine_warm(&l->dirs, l->plan);
    return r;
}

int launching_build_any(struct launching *l, struct error *e)
{
    static char word[] = "true";
    static char *const argv[] = {word, NULL};
    l->request.argv = argv;
    return launching_build(l, e);
}

int launching_renew(struct launching *l, struct plan *p, struct plan_renewal *renewal,
                    struct error *e)
{
    l->plan = p;
    int r = launching_place(l, e);
    if (r < 0)
        return r;
    renewal->id = l->id;
    renewal->scratch = l->scratch;
    plan_renew(p, renewal);
    return 0;
}

static const struct backend *launching_backend(const struct launching *l, struct error *e)
{
    const struct backend *b = backend_find(l->plan->runtime, l->plan->boundary);
    if (b && b->boundary == l->plan->boundary)
        return b;
    b = backend_for(l->plan->boundary, e);
    if (b)
        error_set(e, EOPNOTSUPP, "this version does not drive %s; for the %s boundary it has %s",
                  l->plan->runtime, plan_boundary_name(l->plan->boundary), b->name);
    return NULL;
}

int launching_check(const struct launching *l, struct plan_finding **ret, size_t *ret_count,
                    struct error *e)
{
    struct plan_finding *found = NULL;
    size_t count = 0;
    const struct backend *b = launching_backend(l, e);
    int r = b ? 0 : -e->code;
    struct error why;
    int checked = plan_check(l->plan, &l->host, &found, &count, r < 0 ? &why : e);
    if (r == 0)
        r = checked;
    if (r == 0)
        r = b->check(l->plan, &l->host, e);
    if (ret) {
        *ret = found;
        *ret_count = count;
    } else {
        plan_findings_free(found, count);
    }
    return r;
}

int launching_begin(struct launching *l, struct error *e)
{
    if (l->begun)
        return 0;
    int pair[2];
    int r = launching_dirs(l, e);
    if (r == 0 && (r = fd_socketpair(pair)) < 0)
        error_errno(e, -r, "cannot make a connection");
    if (r < 0)
        return r;
    autoclose int ours = pair[0], theirs = pair[1];
    autofree char *program = module_program("cofferdam-monitor");
    const char *const argv[] = {program, l->dirs.runtime, l->dirs.state, NULL};
    static const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                                      "/sbin:/bin",
                                      NULL};
    const int fds[] = {FD_NONE, FD_NONE, FD_NONE, theirs};
    const struct spawn s = {
        .argv = argv,
        .env = env,
        .fds = fds,
        .fds_count = ARRAY_SIZE(fds),
        .new_session = true,
    };
    r = spawn_start(&s, &l->monitor, NULL, e);
    if (r < 0)
        return error_wrap(e, "the monitor");
    l->socket = TAKE_FD(ours);
    l->begun = true;
    return 0;
}

/* One that has heard nothing yet leaves at once; it is seen off, so that nothing of ours is left.
 */
static void launching_give_up(struct launching *l)
{
    if (!l->begun)
        return;
    l->socket = fd_close(l->socket);
    while (waitpid(l->monitor, NULL, 0) < 0 && errno == EINTR)
        ;
    l->begun = l->foretold = false;
}

/* Where a service manager rules the control groups, limits need a scope from it; nothing else does.
 */
static bool launching_wants_scope(const struct launching *l)
{
    const struct plan_limits *m = &l->plan->limits;
    return l->host.cgroup == PLAN_CGROUP_SYSTEMD &&
           (m->memory || m->pids || m->cpu_milli || m->io_weight);
}

/* Where limits may be missing, a manager that refuses is a shortfall the report will name. */
static int launching_scope(const struct launching *l, struct error *e)
{
    struct error why;
    int r = cgroup_scope_start(l->id, l->plan->name, l->monitor, &why);
    if (r == 0 || l->plan->limits.best_effort)
        return 0;
    *e = why;
    return r;
}

int launching_start(struct launching *l, uint16_t rows, uint16_t cols,
                    const struct client_events *events, void *data, struct client **ret,
                    pid_t *ret_monitor, struct error *e)
{
    const struct backend *backend = launching_backend(l, e);
    if (!backend)
        return -e->code;
    autoclose int filter = FD_NONE;
    int r = hand_over_image(l->plan, l->image, e);
    if (r == 0)
        r = backend->prepare(l->plan, &filter, e);
    if (r < 0)
        return r;
    autofree char *json = plan_to_json(l->plan, false);
    size_t size = strlen(json);
    if (size > LAUNCH_PLAN_MAX)
        return error_set(e, E2BIG, "the command and its environment are too long");
    autoclose int plan = fd_sealed("cofferdam-plan", json, size);
    if (plan < 0)
        return error_errno(e, -plan, "cannot hand over the plan");
    r = launching_begin(l, e);
    if (r == 0 && launching_wants_scope(l))
        r = launching_scope(l, e);
    if (r < 0)
        return r;
    struct birth b = {
        .version = BIRTH_VERSION,
        .rows = rows ? rows : 24,
        .cols = cols ? cols : 80,
        .client = true,
        .kept = l->plan->keep != PLAN_KEEP_NEVER || l->plan->snapshot_on_exit,
    };
    snprintf(b.id, sizeof(b.id), "%s", l->plan->id);
    /* a path stands in the plan: here is room for which table it takes alone */
    snprintf(b.runtime, sizeof(b.runtime), "%s",
             plan_handler_is(l->plan->runtime) ? "containerd"
             : l->plan->runtime[0] != '/'      ? l->plan->runtime
             : plan_is_machine(l->plan)        ? backend->name
                                               : "/");
    r = l->foretold ? 0 : launching_foretell(l);
    if (r == 0)
        r = birth_send(l->socket, &b, &(struct birth_fds){plan, filter, FD_NONE});
    if (r < 0)
        return error_errno(e, -r, "the monitor is gone");
    l->begun = l->foretold = false;
    if (l->plan->machine.warmed && !l->plan->machine.warmed_bytes)
        images_bound_cache(&l->dirs); /* it makes another template */
    *ret_monitor = l->monitor;
    *ret = client_from_fd(TAKE_FD(l->socket), events, data);
    return 0;
}

void launching_done(struct launching *l)
{
    launching_give_up(l);
    plan_free(l->plan);
    if (l->image)
        images_launch_done(l->image);
    free(l->image);
    if (l->machine)
        machine_parts_done(l->machine);
    free(l->machine);
    plan_host_done(&l->host);
    if (l->settings_ready)
        settings_done(&l->settings);
    dirs_done(&l->dirs);
    free(l->profile);
    free(l->cwd);
    free(l->scratch);
    strv_free(l->env);
    *l = (struct launching){0};
}
