/* QEMU as the monitor drives it. */
#include "backends/microvm/qemu.h"
#include "backends/microvm/qemu_argv.h"
#include "backends/microvm/qmp.h"
#include "backends/microvm/vmm_launch.h"

enum { QEMU_STOP_MS = 3000 };

static struct vmm_control *qemu_control_new(int socket)
{
    return (struct vmm_control *)qmp_new(socket);
}

static void qemu_control_free(struct vmm_control *c)
{
    qmp_free((struct qmp *)c);
}

static int qemu_control_fd(const struct vmm_control *c)
{
    return qmp_fd((const struct qmp *)c);
}

static void qemu_control_dispatch(struct vmm_control *c)
{
    qmp_dispatch((struct qmp *)c, NULL, NULL);
}

static int qemu_freeze(struct vmm_control *c, bool frozen, struct error *e)
{
    return qmp_call((struct qmp *)c, frozen ? "stop" : "cont", NULL, QEMU_STOP_MS, NULL, e);
}

static const struct vmm_driver qemu_driver = {
    .name = "qemu",
    .argv = qemu_argv,
    .control_new = qemu_control_new,
    .control_free = qemu_control_free,
    .control_fd = qemu_control_fd,
    .control_dispatch = qemu_control_dispatch,
    .freeze = qemu_freeze,
};

static int qemu_open(const char *plan, size_t size, const struct launch_env *env,
                     struct launch **ret, struct error *e)
{
    return vmm_open(&qemu_driver, plan, size, env, ret, e);
}

const struct launch_ops qemu_launch_ops = {
    .name = "qemu",
    .open = qemu_open,
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
