#include "backends/guest/guest_line.h"

#include <inttypes.h>

/*
 * tsc_early_khz: the microvm machine has no clock to measure the processor's against that works
 * under emulation; without the number one boot in five hangs for ever. What is switched off beside
 * that are tests of the kernel's own and tables nobody in the guest reads.
 */
char *guest_kernel_line(const struct plan *p)
{
    const struct plan_machine *m = &p->machine;
    autobuf line = {0};
    buf_puts(&line, "console=ttyS0 quiet panic=-1 reboot=t");
    if (m->accel == PLAN_ACCEL_TCG && m->tsc_khz)
        buf_printf(&line, " tsc_early_khz=%" PRIu64 " tsc=reliable", m->tsc_khz);
    if (m->accel == PLAN_ACCEL_TCG)
        buf_puts(&line, " no_timer_check");
    buf_puts(&line, " cryptomgr.notests initcall_blacklist=init_kprobe_trace,"
                    "load_system_certificate_list,slab_sysfs_init");
    return buf_take(&line);
}
