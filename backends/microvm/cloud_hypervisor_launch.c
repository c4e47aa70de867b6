/* Cloud Hypervisor as the monitor drives it. */
#include "backends/microvm/cloud_hypervisor.h"

#include "backends/microvm/api_control.h"
#include "backends/microvm/cloud_hypervisor_requests.h"
#include "backends/microvm/vmm_launch.h"

#include <jansson.h>

enum { CLOUD_HYPERVISOR_CALL_MS = 5000, CLOUD_HYPERVISOR_START_MS = 20000 };

/* Whatever its file said when the plan was made: this is who answers. */
static int cloud_hypervisor_meet(struct api *a, const struct plan *p, struct error *e)
{
    autofree char *body = NULL;
    struct cloud_hypervisor_version v, planned;
    int r = api_call(a, "GET", CLOUD_HYPERVISOR_API "vmm.ping", NULL, CLOUD_HYPERVISOR_CALL_MS,
                     &body, e);
    if (r < 0)
        return r;
    json_t *o = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    const char *text = json_string_value(json_object_get(o, "version"));
    r = cloud_hypervisor_version_read(text ? text : "", &v, e);
    json_decref(o);
    if (r == 0 && p->machine.version)
        r = cloud_hypervisor_version_read(p->machine.version, &planned, e);
    if (r == 0 && p->machine.version && (v.major != planned.major || v.minor != planned.minor))
        r = error_set(e, ESTALE, "Cloud Hypervisor is %u.%u now, the plan was made for %s", v.major,
                      v.minor, p->machine.version);
    return r;
}

/* Takes `all`. */
static int cloud_hypervisor_run(struct api *a, const struct plan *p, struct api_requests all,
                                struct error *e)
{
    int r = cloud_hypervisor_meet(a, p, e);
    if (r == 0)
        r = api_run(a, &all, CLOUD_HYPERVISOR_START_MS, e);
    api_requests_done(&all);
    return r;
}

static int cloud_hypervisor_power_on(struct vmm_control *c, const struct plan *p, struct error *e)
{
    return cloud_hypervisor_run(api_of(c), p, cloud_hypervisor_boot(p), e);
}

static int cloud_hypervisor_resume(struct vmm_control *c, const struct plan *p, int state,
                                   struct error *e)
{
    return cloud_hypervisor_run(api_of(c), p, cloud_hypervisor_load(), e);
}

/* It takes as long as copying the memory does. */
static int cloud_hypervisor_dump(struct vmm_control *c, int memory, struct error *e)
{
    return api_begin(api_of(c), "PUT", CLOUD_HYPERVISOR_SNAPSHOT, CLOUD_HYPERVISOR_SNAPSHOT_BODY,
                     e);
}

static int cloud_hypervisor_dumped(const struct vmm_control *c, struct error *e)
{
    return api_begun((const struct api *)c, e);
}

static int cloud_hypervisor_freeze(struct vmm_control *c, bool frozen, struct error *e)
{
    const char *path = frozen ? CLOUD_HYPERVISOR_API "vm.pause" : CLOUD_HYPERVISOR_API "vm.resume";
    return api_call(api_of(c), "PUT", path, NULL, CLOUD_HYPERVISOR_CALL_MS, NULL, e);
}

static int cloud_hypervisor_balloon(struct vmm_control *c, uint64_t bytes, struct error *e)
{
    autofree char *body = str_format(CLOUD_HYPERVISOR_RESIZE_BODY, bytes);
    return api_call(api_of(c), "PUT", CLOUD_HYPERVISOR_RESIZE, body, CLOUD_HYPERVISOR_CALL_MS, NULL,
                    e);
}

static void cloud_hypervisor_counted(void *data, const char *body)
{
    cloud_hypervisor_counters(body, data);
}

static int cloud_hypervisor_measure(struct vmm_control *c, struct launch_sample *sum,
                                    struct error *e)
{
    return api_ask(api_of(c), "GET", CLOUD_HYPERVISOR_API "vm.counters", NULL, VMM_MEASURE_WAIT_MS,
                   cloud_hypervisor_counted, sum, e);
}

static const struct vmm_driver cloud_hypervisor_driver = {
    .name = "cloud-hypervisor",
    .served = true,
    .jail = cloud_hypervisor_jail,
    .argv = cloud_hypervisor_argv,
    VMM_API_CONTROL,
    .power_on = cloud_hypervisor_power_on,
    .measure = cloud_hypervisor_measure,
    .freeze = cloud_hypervisor_freeze,
    .balloon = cloud_hypervisor_balloon,
    .dump = cloud_hypervisor_dump,
    .dumped = cloud_hypervisor_dumped,
    .config = cloud_hypervisor_config,
    .argv_resumed = cloud_hypervisor_argv,
    .resume = cloud_hypervisor_resume,
};

static int cloud_hypervisor_open(const char *plan, size_t size, const struct launch_env *env,
                                 struct launch **ret, struct error *e)
{
    return vmm_open(&cloud_hypervisor_driver, plan, size, env, ret, e);
}

const struct launch_ops cloud_hypervisor_launch_ops =
    VMM_LAUNCH_OPS("cloud-hypervisor", cloud_hypervisor_open, vmm_update);
