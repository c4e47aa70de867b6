/* Firecracker as the monitor drives it. */
#include "backends/microvm/firecracker.h"

#include "backends/microvm/api_control.h"
#include "backends/microvm/firecracker_requests.h"
#include "backends/microvm/vmm_launch.h"

#include <jansson.h>

enum { FIRECRACKER_CALL_MS = 5000, FIRECRACKER_START_MS = 20000 };

/* Whatever its file said when the plan was made: this is who answers. */
static int firecracker_meet(struct api *a, const struct plan *p, struct error *e)
{
    autofree char *body = NULL;
    struct firecracker_version v;
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
    return r;
}

/* Takes `all`. */
static int firecracker_run(struct api *a, const struct plan *p, struct api_requests all,
                           struct error *e)
{
    int r = firecracker_meet(a, p, e);
    if (r == 0)
        r = api_run(a, &all, FIRECRACKER_START_MS, e);
    api_requests_done(&all);
    return r;
}

static int firecracker_power_on(struct vmm_control *c, const struct plan *p, struct error *e)
{
    return firecracker_run(api_of(c), p, firecracker_boot(p), e);
}

static int firecracker_resume(struct vmm_control *c, const struct plan *p, int state,
                              struct error *e)
{
    return firecracker_run(api_of(c), p, firecracker_load(), e);
}

/* It takes as long as the disk does. */
static int firecracker_dump(struct vmm_control *c, int memory, struct error *e)
{
    return api_begin(api_of(c), "PUT", FIRECRACKER_CREATE, FIRECRACKER_CREATE_BODY, e);
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

static int firecracker_measure(struct vmm_control *c, struct launch_sample *sum, struct error *e)
{
    return api_ask(api_of(c), "PUT", "/actions", "{\"action_type\":\"FlushMetrics\"}",
                   VMM_MEASURE_WAIT_MS, NULL, NULL, e);
}

static const struct vmm_driver firecracker_driver = {
    .name = "firecracker",
    .root_device = "vda",
    .jail = vmm_jail_meeting,
    .argv = firecracker_argv,
    VMM_API_CONTROL,
    .power_on = firecracker_power_on,
    .measure = firecracker_measure,
    .measured = firecracker_metrics,
    .freeze = firecracker_freeze,
    .dump = firecracker_dump,
    .dumped = firecracker_dumped,
    .argv_resumed = firecracker_argv,
    .resume = firecracker_resume,
};

static int firecracker_open(const char *plan, size_t size, const struct launch_env *env,
                            struct launch **ret, struct error *e)
{
    return vmm_open(&firecracker_driver, plan, size, env, ret, e);
}

const struct launch_ops firecracker_launch_ops = VMM_LAUNCH_OPS("firecracker", firecracker_open);
