/* QEMU as the monitor drives it. */
#include "backends/microvm/metrics.h"
#include "backends/microvm/qemu.h"
#include "backends/microvm/qemu_argv.h"
#include "backends/microvm/qmp.h"
#include "backends/microvm/vmm_launch.h"

enum { QEMU_STOP_MS = 3000, QEMU_SAVE_MS = 20000 };

struct vmm_control {
    struct qmp *qmp;         /* owned */
    bool dumped, runs;       /* events */
    struct error dump_error; /* code 0: it went well */
};

static void qemu_event(void *data, const char *name, const json_t *what)
{
    struct vmm_control *c = data;
    if (str_equal(name, "RESUME"))
        c->runs = true;
    if (!str_equal(name, "DUMP_COMPLETED"))
        return;
    const char *text = json_string_value(json_object_get(what, "error"));
    autofree char *shown = text ? str_escape_z(text) : NULL;
    if (shown)
        error_set(&c->dump_error, EIO, "QEMU: its memory: %.200s", shown);
    c->dumped = true;
}

static struct vmm_control *qemu_control_new(int socket, const char *name)
{
    struct qmp *q = qmp_new(socket);
    if (!q)
        return NULL;
    struct vmm_control *c = NEW(struct vmm_control);
    c->qmp = q;
    qmp_listen(q, qemu_event, c);
    return c;
}

static void qemu_control_free(struct vmm_control *c)
{
    if (c)
        qmp_free(c->qmp);
    free(c);
}

static int qemu_control_fd(const struct vmm_control *c)
{
    return qmp_fd(c->qmp);
}

static void qemu_control_dispatch(struct vmm_control *c)
{
    qmp_dispatch(c->qmp, NULL, NULL);
}

static int qemu_freeze(struct vmm_control *c, bool frozen, struct error *e)
{
    return qmp_call(c->qmp, frozen ? "stop" : "cont", NULL, QEMU_STOP_MS, NULL, e);
}

static int qemu_press(struct vmm_control *c, enum vmm_button button, struct error *e)
{
    static const char *const commands[] = {
        [VMM_BUTTON_POWER] = "system_powerdown", [VMM_BUTTON_RESET] = "system_reset"};
    return qmp_call(c->qmp, commands[button], NULL, QEMU_STOP_MS, NULL, e);
}

static void qemu_counted(void *data, const json_t *disks)
{
    metrics_qemu(disks, data);
}

static int qemu_count(struct vmm_control *c, struct launch_sample *counts, struct error *e)
{
    return qmp_query(c->qmp, "query-blockstats", VMM_MEASURE_WAIT_MS, qemu_counted, counts, e);
}

/* --- snapshots ----------------------------------------------------------------------------------
 */

/*
 * The memory is written by itself, so that the guest's may be any: what QEMU sends to another
 * leaves out only what has been shared from the beginning, which costs every guest its huge pages.
 */
static int qemu_dump(struct vmm_control *c, int memory, struct error *e)
{
    c->dumped = false;
    c->dump_error = (struct error){0};
    int r = qmp_call_fd(c->qmp, "getfd", json_pack("{s:s}", "fdname", "memory"), memory,
                        QEMU_STOP_MS, NULL, e);
    return r < 0 ? r
                 : qmp_call(c->qmp, "dump-guest-memory",
                            json_pack("{s:b, s:s, s:b}", "paging", 0, "protocol", "fd:memory",
                                      "detach", 1),
                            QEMU_STOP_MS, NULL, e);
}

static int qemu_dumped(const struct vmm_control *c, struct error *e)
{
    if (!c->dumped)
        return 0;
    if (c->dump_error.code)
        *e = c->dump_error;
    return c->dump_error.code ? -c->dump_error.code : 1;
}

static int qemu_devices(struct vmm_control *c, int state, struct error *e)
{
    struct error ignored;
    json_t *set = NULL;
    int r = qmp_call_fd(c->qmp, "add-fd", NULL, state, QEMU_STOP_MS, &set, e);
    if (r < 0)
        return r;
    json_int_t number = json_integer_value(json_object_get(set, "fdset-id"));
    json_decref(set);
    autofree char *name = str_format("/dev/fdset/%lld", (long long)number);
    r = qmp_call(c->qmp, "xen-save-devices-state",
                 json_pack("{s:s, s:b}", "filename", name, "live", 0), QEMU_SAVE_MS, NULL, e);
    qmp_call(c->qmp, "remove-fd", json_pack("{s:I}", "fdset-id", number), QEMU_STOP_MS, NULL,
             &ignored);
    return r;
}

static int qemu_resume(struct vmm_control *c, const struct plan *p, int state, struct error *e)
{
    int r = qmp_call_fd(c->qmp, "getfd", json_pack("{s:s}", "fdname", "state"), state, QEMU_SAVE_MS,
                        NULL, e);
    c->runs = false;
    if (r == 0)
        r = qmp_call(c->qmp, "migrate-incoming", json_pack("{s:s}", "uri", "fd:state"),
                     QEMU_STOP_MS, NULL, e);
    return r < 0 ? r : qmp_await(c->qmp, &c->runs, QEMU_SAVE_MS, e);
}

static const struct vmm_driver qemu_driver = {
    .name = "qemu",
    .served = true,
    .jail = vmm_jail_leading_out,
    .argv = qemu_argv,
    .control_new = qemu_control_new,
    .control_free = qemu_control_free,
    .control_fd = qemu_control_fd,
    .control_dispatch = qemu_control_dispatch,
    .freeze = qemu_freeze,
    .press = qemu_press,
    .measure = qemu_count,
    .dump = qemu_dump,
    .dumped = qemu_dumped,
    .devices = qemu_devices,
    .argv_resumed = qemu_argv_resumed,
    .resume = qemu_resume,
};

static int qemu_open(const char *plan, size_t size, const struct launch_env *env,
                     struct launch **ret, struct error *e)
{
    return vmm_open(&qemu_driver, plan, size, env, ret, e);
}

const struct launch_ops qemu_launch_ops = VMM_LAUNCH_OPS("qemu", qemu_open, NULL);
