#include "backends/microvm/cloud_hypervisor_requests.h"

#include <jansson.h>
#include <stdio.h>

#define CHANCE "/dev/urandom"

int cloud_hypervisor_version_read(const char *text, struct cloud_hypervisor_version *ret,
                                  struct error *e)
{
    struct cloud_hypervisor_version v = {0};
    const char *number = text + (*text == 'v');
    if (strspn(number, "0123456789") == 0 || sscanf(number, "%4u.%4u", &v.major, &v.minor) != 2) {
        autofree char *shown = str_escape(text, MIN(strlen(text), (size_t)40));
        return error_set(e, EPROTO, "\"%s\" is no version of Cloud Hypervisor", shown);
    }
    if (v.major < CLOUD_HYPERVISOR_OLDEST || v.major > CLOUD_HYPERVISOR_NEWEST)
        return error_set(e, ENOTSUP, "Cloud Hypervisor %u.%u: known here are %d to %d", v.major,
                         v.minor, CLOUD_HYPERVISOR_OLDEST, CLOUD_HYPERVISOR_NEWEST);
    *ret = v;
    return 0;
}

struct plan *cloud_hypervisor_jail(const struct plan *p)
{
    struct plan *j = vmm_jail_meeting(p);
    vmm_jail_device(j, CHANCE);
    return j;
}

char **cloud_hypervisor_argv(const struct plan *p)
{
    char **argv = NULL;
    /* its own filters come on top of ours */
    const char *const words[] = {p->machine.program, "--api-socket", "path=" VMM_MEET_API,
                                 "--seccomp", "true"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        strv_add(&argv, words[i]);
    return argv;
}

/*
 * A guest that resets itself is started anew by Cloud Hypervisor; its agent's connection ends with
 * the old one, which ends the machine here.
 */
static json_t *boot_payload(void)
{
    autofree char *line = str_format(
        "console=ttyS0 quiet panic=-1 cryptomgr.notests -- agent=vsock:%d", VMM_AGENT_PORT);
    return json_pack("{s:s, s:s, s:s}", "kernel", VMM_KERNEL, "initramfs", VMM_INITRAMFS, "cmdline",
                     line);
}

/*
 * Its Landlock rules are made of the files named here; the folder of its sockets is named too,
 * since it makes one there later.
 */
static json_t *boot_config(const struct plan *p)
{
    const struct plan_machine *m = &p->machine;
    json_t *o = json_pack(
        "{s:{s:i, s:i}, s:{s:I}, s:o, s:[{s:s, s:b, s:s, s:s}], s:{s:s}, s:{s:i, s:b}, s:{s:s}, "
        "s:{s:s}, s:{s:i, s:s}, s:b, s:[{s:s, s:s}]}",
        "cpus", "boot_vcpus", (int)m->cpus, "max_vcpus", (int)m->cpus, "memory", "size",
        (json_int_t)m->memory, "payload", boot_payload(), "disks", "path", VMM_ROOT, "readonly", 1,
        "id", VMM_DISK_ROOT, "serial", VMM_DISK_ROOT, "rng", "src", CHANCE, "balloon", "size", 0,
        "deflate_on_oom", 1, "serial", "mode", "Tty", "console", "mode", "Off", "vsock", "cid",
        VMM_GUEST_CID, "socket", VMM_MEET_VSOCK, "landlock_enable", 1, "landlock_rules", "path",
        VMM_MEET, "access", "rw");
    if (p->network != PLAN_NETWORK_NONE) {
        autofree char *mac = vmm_mac(p);
        json_object_set_new(
            o, "net", json_pack("[{s:s, s:s, s:s}]", "id", "eth0", "tap", VMM_TAP, "mac", mac));
    }
    return o;
}

struct api_requests cloud_hypervisor_boot(const struct plan *p)
{
    struct api_requests r = {0};
    api_requests_add(&r, "PUT", CLOUD_HYPERVISOR_API "vm.create", boot_config(p));
    api_requests_add(&r, "PUT", CLOUD_HYPERVISOR_API "vm.boot", NULL);
    return r;
}

/* Of all devices that count it; UINT64_MAX: none does. */
static uint64_t counters_sum(const json_t *devices, const char *name)
{
    double sum = -1;
    const char *id;
    json_t *counters;
    json_object_foreach((json_t *)devices, id, counters)
    {
        const json_t *n = json_object_get(counters, name);
        if (json_is_number(n) && json_number_value(n) >= 0)
            sum = MAX(sum, 0) + json_number_value(n);
    }
    return sum < 0 ? UINT64_MAX : sum < (double)INT64_MAX ? (uint64_t)sum : (uint64_t)INT64_MAX;
}

void cloud_hypervisor_counters(const char *body, struct launch_sample *sum)
{
    /* latencies nobody measured yet are UINT64_MAX there, which is no integer of jansson's */
    json_t *o = json_loads(body, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    if (json_is_object(o)) {
        sum->guest_read = counters_sum(o, "read_bytes");
        sum->guest_write = counters_sum(o, "write_bytes");
        sum->guest_in = counters_sum(o, "rx_bytes");
        sum->guest_out = counters_sum(o, "tx_bytes");
    }
    json_decref(o);
}
