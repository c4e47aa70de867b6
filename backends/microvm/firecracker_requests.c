#include "backends/microvm/firecracker_requests.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum { FIRECRACKER_STATS_S = 1, FIRECRACKER_MISPLACES = 14, FIRECRACKER_PLACES_AGAIN = 2 };
#define FIRECRACKER_FIRST_PIECE (3ull << 30) /* of a PC's memory, the rest is behind 4 GiB */

int firecracker_version_read(const char *text, struct firecracker_version *ret, struct error *e)
{
    struct firecracker_version v = {0};
    const char *number = text + (*text == 'v');
    if (strspn(number, "0123456789.") < strlen("1.7.0") ||
        sscanf(number, "%3u.%3u.%5u", &v.major, &v.minor, &v.patch) != 3) {
        autofree char *shown = str_escape(text, MIN(strlen(text), (size_t)40));
        return error_set(e, EPROTO, "\"%s\" is no version of Firecracker", shown);
    }
    if (v.major != 1 || v.minor < FIRECRACKER_OLDEST || v.minor > FIRECRACKER_NEWEST)
        return error_set(e, ENOTSUP, "Firecracker %u.%u.%u: known here are 1.%d to 1.%d", v.major,
                         v.minor, v.patch, FIRECRACKER_OLDEST, FIRECRACKER_NEWEST);
    *ret = v;
    return 0;
}

char **firecracker_argv(const struct plan *p)
{
    const struct plan_machine *m = &p->machine;
    char **argv = NULL;
    /* no --no-seccomp, ever: its own filters come on top of ours */
    const char *const words[] = {m->program, "--api-sock", VMM_MEET_API, "--id",
                                 p->id,      "--level",    "Error"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        strv_add(&argv, words[i]);
    return argv;
}

/*
 * Firecracker puts its devices behind the last word before "--". reboot=k: it ends when the guest
 * resets itself through the keyboard's controller, of which it has no more than that.
 */
char *firecracker_kernel_line(const struct plan *p)
{
    struct firecracker_version v;
    struct error ignored;
    const struct plan_machine *m = &p->machine;
    /* before 1.8 what its kernel is told of may be more than there are (firecracker_acpi.h) */
    bool counted = m->version && firecracker_version_read(m->version, &v, &ignored) == 0 &&
                   v.minor < FIRECRACKER_ACPI;
    autofree char *count = counted ? str_format("nr_cpus=%u ", m->cpus) : NULL;
    return str_format("console=ttyS0 quiet panic=-1 reboot=k pci=off i8042.noaux i8042.nomux "
                      "i8042.dumbkbd cryptomgr.notests %s-- end=reset agent=vsock:%d",
                      count ? count : "", VMM_AGENT_PORT);
}

/* Owned by the plan; one of Firecracker's own. NULL: none. */
static const char *boot_template(const struct plan_machine *m)
{
    return str_equal(m->cpu_model, "host") || str_equal(m->cpu_model, "None") ? NULL : m->cpu_model;
}

static json_t *boot_machine(const struct plan_machine *m)
{
    json_t *o = json_pack("{s:i, s:I, s:b, s:b}", "vcpu_count", (int)m->cpus, "mem_size_mib",
                          (json_int_t)(m->memory >> 20), "smt", 0, "track_dirty_pages", 0);
    if (boot_template(m))
        json_object_set_new(o, "cpu_template", json_string(boot_template(m)));
    return o;
}

/*
 * A template of its own kind, which hides VMX and SVM, each in a register that every processor has:
 * KVM refuses a guest what it does not see of these. Amazon's (machine.cpus-model) hide them as
 * well, and would be replaced by it.
 */
static json_t *boot_processor(void)
{
    return json_pack("{s:[{s:s, s:s, s:i, s:[{s:s, s:s}]}, {s:s, s:s, s:i, s:[{s:s, s:s}]}]}",
                     "cpuid_modifiers", "leaf", "0x1", "subleaf", "0x0", "flags", 0, "modifiers",
                     "register", "ecx", "bitmap", "0bxxxxxxxxxxxxxxxxxxxxxxxxxx0xxxxx", "leaf",
                     "0x80000001", "subleaf", "0x0", "flags", 0, "modifiers", "register", "ecx",
                     "bitmap", "0bxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0xx");
}

static json_t *boot_drive(const struct plan_machine *m, const char *id, const char *path,
                          bool read_only)
{
    json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:s, s:s}", "drive_id", id, "path_on_host", path,
                          "is_root_device", 0, "is_read_only", read_only, "cache_type", "Unsafe",
                          "io_engine", "Sync");
    json_t *limiter = api_rate_limiter(m->disk_bandwidth, m->disk_operations);
    if (limiter)
        json_object_set_new(o, "rate_limiter", limiter);
    return o;
}

struct api_requests firecracker_boot(const struct plan *p)
{
    struct api_requests r = {0};
    autofree char *line = firecracker_kernel_line(p);
    api_requests_add(&r, "PUT", "/metrics", json_pack("{s:s}", "metrics_path", VMM_MEET_METRICS));
    api_requests_add(&r, "PUT", "/machine-config", boot_machine(&p->machine));
    if (p->machine.nested != PLAN_NESTED_YES && !boot_template(&p->machine))
        api_requests_add(&r, "PUT", "/cpu-config", boot_processor());
    api_requests_add(&r, "PUT", "/boot-source",
                     json_pack("{s:s, s:s, s:s}", "kernel_image_path", VMM_KERNEL, "initrd_path",
                               VMM_INITRAMFS, "boot_args", line));
    api_requests_add(&r, "PUT", "/drives/" VMM_DISK_ROOT,
                     boot_drive(&p->machine, VMM_DISK_ROOT, VMM_ROOT, true));
    if (p->machine.scratch)
        api_requests_add(&r, "PUT", "/drives/" VMM_DISK_SCRATCH,
                         boot_drive(&p->machine, VMM_DISK_SCRATCH, VMM_SCRATCH, false));
    for (size_t i = 0; i < plan_more_disks(p); i++) {
        autofree char *id = str_format(PLAN_DISK "%zu", i + 1);
        autofree char *path = str_format(VMM_MORE "%zu", i + 1);
        autofree char *at = str_format("/drives/%s", id);
        api_requests_add(&r, "PUT", at, boot_drive(&p->machine, id, path, true));
    }
    if (p->network != PLAN_NETWORK_NONE) {
        autofree char *mac = vmm_mac(p);
        api_requests_add(&r, "PUT", "/network-interfaces/eth0",
                         json_pack("{s:s, s:s, s:s}", "iface_id", "eth0", "host_dev_name", VMM_TAP,
                                   "guest_mac", mac));
    }
    api_requests_add(
        &r, "PUT", "/vsock",
        json_pack("{s:i, s:s}", "guest_cid", VMM_GUEST_CID, "uds_path", VMM_MEET_VSOCK));
    api_requests_add(&r, "PUT", "/entropy", json_object());
    api_requests_add(&r, "PUT", "/balloon",
                     json_pack("{s:i, s:b, s:i}", "amount_mib", 0, "deflate_on_oom", 1,
                               "stats_polling_interval_s", FIRECRACKER_STATS_S));
    api_requests_add(&r, "PUT", "/actions", json_pack("{s:s}", "action_type", "InstanceStart"));
    return r;
}

bool firecracker_tells_changes(const struct plan_machine *m, const struct firecracker_version *v)
{
    return m->memory <= FIRECRACKER_FIRST_PIECE || v->minor != FIRECRACKER_MISPLACES ||
           v->patch >= FIRECRACKER_PLACES_AGAIN;
}

/*
 * Metrics are set anew, which a snapshot does not hold; all else is in it. Where it may be said
 * what this one's tap and socket are, that does not rest on what the snapshot says.
 */
struct api_requests firecracker_load(const struct plan *p, const struct firecracker_version *v)
{
    struct api_requests r = {0};
    const char *tracks =
        v->minor >= FIRECRACKER_TRACKS ? "track_dirty_pages" : "enable_diff_snapshots";
    json_t *o = json_pack("{s:s, s:{s:s, s:s}, s:b, s:b}", "snapshot_path", VMM_LOAD_STATE,
                          "mem_backend", "backend_type", "File", "backend_path", VMM_LOAD_MEMORY,
                          tracks, firecracker_tells_changes(&p->machine, v), "resume_vm", 1);
    if (p->network != PLAN_NETWORK_NONE && v->minor >= FIRECRACKER_NETWORK_OVERRIDES)
        json_object_set_new(
            o, "network_overrides",
            json_pack("[{s:s, s:s}]", "iface_id", "eth0", "host_dev_name", VMM_TAP));
    if (v->minor >= FIRECRACKER_VSOCK_OVERRIDE)
        json_object_set_new(o, "vsock_override", json_pack("{s:s}", "uds_path", VMM_MEET_VSOCK));
    api_requests_add(&r, "PUT", "/metrics", json_pack("{s:s}", "metrics_path", VMM_MEET_METRICS));
    api_requests_add(&r, "PUT", "/snapshot/load", o);
    return r;
}
