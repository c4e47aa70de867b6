/* Firecracker as the monitor drives it. */
#include "backends/microvm/firecracker.h"

#include "backends/microvm/api_control.h"
#include "backends/microvm/firecracker_requests.h"
#include "backends/microvm/vmm_launch.h"

#include <jansson.h>

enum { FIRECRACKER_CALL_MS = 5000, FIRECRACKER_START_MS = 20000 };

/* Whatever its file said when the plan was made: this is who answers. */
static int firecracker_meet(struct api *a, const struct plan *p, struct firecracker_version *ret,
                            struct error *e)
{
    autofree char *body = NULL;
    struct firecracker_version v = {0};
    int r = api_call(a, "GET", "/version", NULL, FIRECRACKER_CALL_MS, &body, e);
    if (r < 0)
        return r;
    json_t *o = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    const char *text = json_string_value(json_object_get(o, "firecracker_version"));
    r = firecracker_version_read(text ? text : "", &v, e);
    if (r == 0 && p->machine.version && !str_equal(text + (*text == 'v'), p->machine.version))
        r = error_set(e, ESTALE, "Firecracker is %u.%u.%u now, the plan was made for %s", v.major,
                      v.minor, v.patch, p->machine.version);
    json_decref(o);
    *ret = v;
    return r;
}

/* Takes `all`. */
static int firecracker_run(struct api *a, struct api_requests all, struct error *e)
{
    int r = api_run(a, &all, FIRECRACKER_START_MS, e);
    api_requests_done(&all);
    return r;
}

static int firecracker_power_on(struct vmm_control *c, const struct plan *p, struct error *e)
{
    struct firecracker_version v;
    int r = firecracker_meet(api_of(c), p, &v, e);
    return r < 0 ? r : firecracker_run(api_of(c), firecracker_boot(p), e);
}

static int firecracker_resume(struct vmm_control *c, const struct plan *p, int state,
                              struct error *e)
{
    struct firecracker_version v;
    int r = firecracker_meet(api_of(c), p, &v, e);
    return r < 0 ? r : firecracker_run(api_of(c), firecracker_load(p, &v), e);
}

/* It takes as long as the disk does. */
static int firecracker_dump(struct vmm_control *c, int memory, struct error *e)
{
    return api_begin(api_of(c), "PUT", FIRECRACKER_CREATE, FIRECRACKER_CREATE_BODY, e);
}

static int firecracker_dump_changes(struct vmm_control *c, struct error *e)
{
    return api_begin(api_of(c), "PUT", FIRECRACKER_CREATE, FIRECRACKER_CREATE_CHANGES_BODY, e);
}

static bool firecracker_tells(const struct plan *p)
{
    struct firecracker_version v;
    struct error ignored;
    const char *version = p->machine.version;
    return version && firecracker_version_read(version, &v, &ignored) == 0 &&
           firecracker_tells_changes(&p->machine, &v);
}

static int firecracker_dumped(const struct vmm_control *c, struct error *e)
{
    return api_begun((const struct api *)c, e);
}

static int firecracker_freeze(struct vmm_control *c, bool frozen, struct error *e)
{
    const char *body = frozen ? "{\"state\":\"Paused\"}" : "{\"state\":\"Resumed\"}";
    return api_call(api_of(c), "PATCH", "/vm", body, FIRECRACKER_CALL_MS, NULL, e);
}

static int firecracker_balloon(struct vmm_control *c, uint64_t bytes, struct error *e)
{
    autofree char *body = str_format(FIRECRACKER_BALLOON_BODY, bytes >> 20);
    return api_call(api_of(c), "PATCH", "/balloon", body, FIRECRACKER_CALL_MS, NULL, e);
}

static int firecracker_measure(struct vmm_control *c, struct launch_sample *sum, struct error *e)
{
    return api_ask(api_of(c), "PUT", "/actions", "{\"action_type\":\"FlushMetrics\"}",
                   VMM_MEASURE_WAIT_MS, NULL, NULL, e);
}

/* It catches what would have killed it, and ends with a status of its own (FcExitCode). */
static const char *firecracker_status_means(int status)
{
    static const struct {
        int status;
        const char *means;
    } rows[] = {
        {148, "its filter caught a system call it must not make" },
        {149, "SIGBUS: out of memory or of disk behind a mapping"},
        {150, "SIGSEGV"                                          },
        {151, "SIGXFSZ: a file beyond its limit"                 },
        {152, "its configuration is bad"                         },
        {153, "it does not know its arguments"                   },
        {154, "SIGXCPU"                                          },
        {155, "SIGPIPE"                                          },
        {156, "SIGHUP"                                           },
        {157, "SIGILL"                                           },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].status == status)
            return rows[i].means;
    return NULL;
}

static const struct vmm_driver firecracker_driver = {
    .name = "firecracker",
    .disks_by_order = true,
    .jail = vmm_jail_meeting,
    .argv = firecracker_argv,
    VMM_API_CONTROL,
    .power_on = firecracker_power_on,
    .measure = firecracker_measure,
    .measured = firecracker_metrics,
    .status_means = firecracker_status_means,
    .freeze = firecracker_freeze,
    .balloon = firecracker_balloon,
    .dump = firecracker_dump,
    .dump_changes = firecracker_dump_changes,
    .tells_changes = firecracker_tells,
    .dumped = firecracker_dumped,
    .argv_resumed = firecracker_argv,
    .resume = firecracker_resume,
};

static int firecracker_open(const char *plan, size_t size, const struct launch_env *env,
                            struct launch **ret, struct error *e)
{
    return vmm_open(&firecracker_driver, plan, size, env, ret, e);
}

const struct launch_ops firecracker_launch_ops =
    VMM_LAUNCH_OPS("firecracker", firecracker_open, vmm_update);
