/* What one machine's program does in its own way; the rest of a launch is the same for all. */
#ifndef COFFERDAM_BACKENDS_MICROVM_DRIVER_H
#define COFFERDAM_BACKENDS_MICROVM_DRIVER_H

#include "backends/launch.h"
#include "backends/microvm/vmm.h"

struct vmm_control; /* a driver's own: QMP, an API's socket */

enum { VMM_MEASURE_WAIT_MS = 50 };

enum vmm_button { VMM_BUTTON_POWER, VMM_BUTTON_RESET };

struct vmm_driver {
    const char *name;

    /* It takes no descriptors but makes sockets of its own (vmm.h, VMM_MEET); prints what the
     * guest's kernel prints on its standard output. */
    bool meets;
    bool disks_by_order; /* as they are said, from /dev/vda; else they have serial numbers */
    bool served; /* virtiofsd may serve folders to its guest: VMM_MEET_SHARE, or vmm_share_fd() */

    struct plan *(*jail)(const struct plan *p); /* as vmm_jail(), which NULL means */

    /* Pure; owned by the caller. mandatory */
    char **(*argv)(const struct plan *p);

    /* Takes our end of VMM_FD_CONTROL, or a connection to VMM_MEET_API; also on failure. `name` is
     * the driver's, for errors. NULL with errno. mandatory */
    struct vmm_control *(*control_new)(int socket, const char *name);
    void (*control_free)(struct vmm_control *c);    /* NULL is fine */
    int (*control_fd)(const struct vmm_control *c); /* to watch for reading; FD_NONE: no more */
    void (*control_dispatch)(struct vmm_control *c);

    /* Says what the machine is and switches it on, where arguments do not. optional */
    int (*power_on)(struct vmm_control *c, const struct plan *p, struct error *e);

    /*
     * Asks what it counts, which goes into the guest_… members of `sum` (UINT64_MAX: nothing yet),
     * or has it written to VMM_MEET_METRICS, of which each line is added by measured(). Waits
     * VMM_MEASURE_WAIT_MS at most: what comes later control_dispatch() takes, so `sum` stays as
     * long as `c`; until then nothing more is asked, and no call fails of it. optional; measured()
     * is only with measure()
     */
    int (*measure)(struct vmm_control *c, struct launch_sample *sum, struct error *e);
    void (*measured)(const char *line, struct launch_sample *sum);

    /* What its exit status means, where that is not all said by the number; or NULL. Static.
     * optional */
    const char *(*status_means)(int status);

    /* Stops the guest's processors or lets them go on; returns when that is so. mandatory */
    int (*freeze)(struct vmm_control *c, bool frozen, struct error *e);

    /*
     * A button of the machine is pressed: its system hears that it is to shut down, or the machine
     * begins anew. optional
     */
    int (*press)(struct vmm_control *c, enum vmm_button button, struct error *e);

    /*
     * Asks the guest for so many bytes of its memory, whole MiB of them, in all: what it has given
     * up before is counted in. It takes them back before it kills for want of them. optional
     */
    int (*balloon)(struct vmm_control *c, uint64_t bytes, struct error *e);

    /*
     * Snapshots; all or none. The processors stand still. dump() begins to write the memory as an
     * ELF core file to the pipe `memory`; dumped() is 1 when it is all there, 0 until then, or
     * -errno; devices() then writes all else to the empty file `state` and returns when it has.
     * Both stay the caller's. argv_resumed() is of a program that waits for resume() with what
     * devices() wrote (a file, the caller's), its memory being copied on write from a file that
     * has no name: VMM_MEMORY, which vmm_start() gives it. resume() returns when it runs. optional
     *
     * Who meets has files of names instead: dump() writes all to VMM_SAVE_MEMORY and
     * VMM_SAVE_STATE, devices() is NULL, resume() goes on from VMM_LOAD_MEMORY and VMM_LOAD_STATE;
     * the descriptors are FD_NONE. power_on() is for those that boot.
     *
     * dump_changes() is dump() of one that was resumed, whose memory is written only where it has
     * changed since that or the last dump; elsewhere the file has holes. Where tells_changes() is
     * false of a machine it is not asked of that one. both optional
     *
     * With config() it makes files of its own in VMM_SAVE_FOLDER instead, called VMM_FOLDER_…, and
     * goes on from VMM_LOAD_FOLDER, where what config() says the machine is lies beside them: JSON,
     * pure, owned by the caller.
     */
    char *(*config)(const struct plan *p);
    int (*dump)(struct vmm_control *c, int memory, struct error *e);
    int (*dump_changes)(struct vmm_control *c, struct error *e);
    bool (*tells_changes)(const struct plan *p);
    int (*dumped)(const struct vmm_control *c, struct error *e);
    int (*devices)(struct vmm_control *c, int state, struct error *e);
    char **(*argv_resumed)(const struct plan *p);
    int (*resume)(struct vmm_control *c, const struct plan *p, int state, struct error *e);
};

/* launch_ops.open for a driver; the others are in vmm_launch.h. */
int vmm_open(const struct vmm_driver *d, const char *plan, size_t size,
             const struct launch_env *env, struct launch **ret, struct error *e);

#endif
