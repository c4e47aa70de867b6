/* Firecracker as the monitor drives it. */
#include "backends/microvm/firecracker.h"
#include "backends/microvm/firecracker_requests.h"
#include "backends/microvm/vmm_launch.h"

#include <jansson.h>

enum { FIRECRACKER_CALL_MS = 5000, FIRECRACKER_START_MS = 20000 };

static struct vmm_control *firecracker_control_new(int socket)
{
    return (struct vmm_control *)api_new(socket, "firecracker");
}

static void firecracker_control_free(struct vmm_control *c)
{
    api_free((struct api *)c);
}

static int firecracker_control_fd(const struct vmm_control *c)
{
    return api_fd((const struct api *)c);
}

static void firecracker_control_dispatch(struct vmm_control *c)
{
    api_dispatch((struct api *)c);
}

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

static int firecracker_power_on(struct vmm_control *c, const struct plan *p, struct error *e)
{
    struct api *a = (struct api *)c;
    int r = firecracker_meet(a, p, e);
    if (r < 0)
        return r;
    struct api_requests all = firecracker_boot(p);
    r = api_run(a, &all, FIRECRACKER_START_MS, e);
    api_requests_done(&all);
    return r;
}

static int firecracker_freeze(struct vmm_control *c, bool frozen, struct error *e)
{
    const char *body = frozen ? "{\"state\":\"Paused\"}" : "{\"state\":\"Resumed\"}";
    return api_call((struct api *)c, "PATCH", "/vm", body, FIRECRACKER_CALL_MS, NULL, e);
}

static int firecracker_measure(struct vmm_control *c, struct error *e)
{
    return api_call((struct api *)c, "PUT", "/actions", "{\"action_type\":\"FlushMetrics\"}",
                    FIRECRACKER_CALL_MS, NULL, e);
}

static const struct vmm_driver firecracker_driver = {
    .name = "firecracker",
    .meets = true,
    .root_device = "vda",
    .jail = vmm_jail_meeting,
    .argv = firecracker_argv,
    .control_new = firecracker_control_new,
    .control_free = firecracker_control_free,
    .control_fd = firecracker_control_fd,
    .control_dispatch = firecracker_control_dispatch,
    .power_on = firecracker_power_on,
    .measure = firecracker_measure,
    .measured = firecracker_metrics,
    .freeze = firecracker_freeze,
};

static int firecracker_open(const char *plan, size_t size, const struct launch_env *env,
                            struct launch **ret, struct error *e)
{
    return vmm_open(&firecracker_driver, plan, size, env, ret, e);
}

const struct launch_ops firecracker_launch_ops = {
    .name = "firecracker",
    .open = firecracker_open,
    .wishes = vmm_wishes,
    .start = vmm_boot,
    .watch = vmm_watch,
    .dispatch = vmm_dispatch,
    .pid = vmm_pid,
    .exec = vmm_exec,
    .signal = vmm_signal,
    .resize = vmm_resize,
    .copy_in = vmm_copy_in,
    .copy_out = vmm_copy_out,
    .freeze = vmm_freeze,
    .sample = vmm_sample,
    .kill = vmm_kill,
    .phases = vmm_phases,
    .shortfalls = vmm_shortfalls,
    .reach = vmm_reach,
    .clean = vmm_clean,
    .free = vmm_free,
};
