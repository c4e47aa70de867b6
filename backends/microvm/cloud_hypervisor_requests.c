#include "backends/microvm/cloud_hypervisor_requests.h"

#include "backends/net/translator.h"

#include <jansson.h>
#include <stdio.h>

#define CHANCE "/dev/urandom"
enum { SHARE_QUEUE = 1024 };
/* What is not there it takes for a device of its own making, and up to 48 gives it an address. */
#define LOOK "/sys/class/net/" VMM_TAP

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

bool cloud_hypervisor_takes_formats(const struct cloud_hypervisor_version *v)
{
    return v->major > 50 || (v->major == 50 && v->minor >= 1);
}

bool cloud_hypervisor_takes_nested(const struct cloud_hypervisor_version *v)
{
    return v->major >= 50;
}

struct plan *cloud_hypervisor_jail(const struct plan *p)
{
    struct plan *j = vmm_jail_meeting(p);
    vmm_jail_device(j, CHANCE);
    if (p->network == PLAN_NETWORK_PRIVATE)
        vmm_jail_text(j, LOOK, "");
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

static bool boot_version(const struct plan_machine *m, struct cloud_hypervisor_version *ret)
{
    struct error ignored;
    return m->version && cloud_hypervisor_version_read(m->version, ret, &ignored) == 0;
}

/* What it guesses to be raw it does not let a guest write whole. */
static json_t *boot_disk(const struct plan *p, const char *id, const char *path, bool read_only)
{
    const struct plan_machine *m = &p->machine;
    struct cloud_hypervisor_version v;
    json_t *o = json_pack("{s:s, s:b, s:s, s:s}", "path", path, "readonly", read_only, "id", id,
                          "serial", id);
    json_t *limiter = api_rate_limiter(m->disk_bandwidth, m->disk_operations);
    if (limiter)
        json_object_set_new(o, "rate_limiter_config", limiter);
    if (boot_version(m, &v) && cloud_hypervisor_takes_formats(&v))
        json_object_set_new(o, "image_type", json_string("Raw"));
    return o;
}

/*
 * Its Landlock rules are made of the files named when it is created, and of this list: folders of
 * sockets and snapshots, in which it makes files later, and what the devices need that are added.
 */
static json_t *boot_rules(const struct plan *p)
{
    json_t *o = json_pack("[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]", "path", VMM_MEET, "access", "rw",
                          "path", VMM_SAVE_FOLDER, "access", "rw", "path", VMM_ROOT, "access", "r");
    if (p->machine.scratch)
        json_array_append_new(o, json_pack("{s:s, s:s}", "path", VMM_SCRATCH, "access", "rw"));
    for (size_t i = 0; i < plan_more_disks(p); i++) {
        autofree char *path = str_format(VMM_MORE "%zu", i + 1);
        json_array_append_new(o, json_pack("{s:s, s:s}", "path", path, "access", "r"));
    }
    if (p->network != PLAN_NETWORK_NONE)
        json_array_append_new(o, json_pack("{s:s, s:s}", "path", NET_TUN, "access", "rw"));
    return o;
}

/* Queues as its own are by default; all of the memory is whose it is that serves. */
static void boot_shares(const struct plan *p, json_t *o)
{
    unsigned served = vmm_served(p);
    if (!served)
        return;
    json_object_set_new(json_object_get(o, "memory"), "shared", json_true());
    json_t *list = json_array();
    for (unsigned n = 0; n < served; n++) {
        autofree char *tag = str_format(VMM_SHARE_TAG "%u", n);
        autofree char *path = str_format(VMM_MEET_SHARE "%u", n);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:i, s:i, s:s}", "tag", tag, "socket", path,
                                        "num_queues", 1, "queue_size", SHARE_QUEUE, "id", tag));
    }
    json_object_set_new(o, "fs", list);
}

/* Every device has a name: a snapshot's state is of the machine that this describes again. */
static json_t *boot_config(const struct plan *p)
{
    const struct plan_machine *m = &p->machine;
    struct cloud_hypervisor_version v;
    json_t *o = json_pack("{s:{s:i, s:i}, s:{s:I}, s:o, s:[o], s:{s:s}, s:{s:i, s:b}, s:{s:s}, "
                          "s:{s:s}, s:{s:i, s:s, s:s}, s:b, s:o}",
                          "cpus", "boot_vcpus", (int)m->cpus, "max_vcpus", (int)m->cpus, "memory",
                          "size", (json_int_t)m->memory, "payload", boot_payload(), "disks",
                          boot_disk(p, VMM_DISK_ROOT, VMM_ROOT, true), "rng", "src", CHANCE,
                          "balloon", "size", 0, "deflate_on_oom", 1, "serial", "mode", "Tty",
                          "console", "mode", "Off", "vsock", "cid", VMM_GUEST_CID, "socket",
                          VMM_MEET_VSOCK, "id", "vsock", "landlock_enable",
                          p->landlock != PLAN_LANDLOCK_NO, "landlock_rules", boot_rules(p));
    if (boot_version(m, &v) && cloud_hypervisor_takes_nested(&v))
        json_object_set_new(json_object_get(o, "cpus"), "nested",
                            json_boolean(m->nested == PLAN_NESTED_YES));
    if (m->scratch)
        json_array_append_new(json_object_get(o, "disks"),
                              boot_disk(p, VMM_DISK_SCRATCH, VMM_SCRATCH, false));
    for (size_t i = 0; i < plan_more_disks(p); i++) {
        autofree char *id = str_format(PLAN_DISK "%zu", i + 1);
        autofree char *path = str_format(VMM_MORE "%zu", i + 1);
        json_array_append_new(json_object_get(o, "disks"), boot_disk(p, id, path, true));
    }
    if (p->network != PLAN_NETWORK_NONE) {
        autofree char *mac = vmm_mac(p);
        json_object_set_new(
            o, "net", json_pack("[{s:s, s:s, s:s}]", "id", "eth0", "tap", VMM_TAP, "mac", mac));
    }
    boot_shares(p, o);
    return o;
}

/* The caller's from then on; NULL: there is none. */
static json_t *boot_take(json_t *from, const char *name)
{
    json_t *o = json_incref(json_object_get(from, name));
    json_object_del(from, name);
    return o;
}

/* Each device by a request of its own, so that what is refused has a name. */
struct api_requests cloud_hypervisor_boot(const struct plan *p)
{
    struct api_requests r = {0};
    json_t *o = boot_config(p), *one;
    json_t *disks = boot_take(o, "disks"), *net = boot_take(o, "net");
    json_t *shares = boot_take(o, "fs");
    json_t *vsock = boot_take(o, "vsock");
    size_t i;
    api_requests_add(&r, "PUT", CLOUD_HYPERVISOR_API "vm.create", o);
    json_array_foreach(disks, i, one)
        api_requests_add(&r, "PUT", CLOUD_HYPERVISOR_API "vm.add-disk", json_incref(one));
    json_array_foreach(net, i, one)
        api_requests_add(&r, "PUT", CLOUD_HYPERVISOR_API "vm.add-net", json_incref(one));
    json_array_foreach(shares, i, one)
        api_requests_add(&r, "PUT", CLOUD_HYPERVISOR_API "vm.add-fs", json_incref(one));
    api_requests_add(&r, "PUT", CLOUD_HYPERVISOR_API "vm.add-vsock", vsock);
    json_decref(disks);
    json_decref(net);
    json_decref(shares);
    api_requests_add(&r, "PUT", CLOUD_HYPERVISOR_API "vm.boot", NULL);
    return r;
}

/*
 * It wants a kernel to be named, which it does not look at, and opens the initramfs if one is: what
 * goes on from a snapshot is given neither.
 */
char *cloud_hypervisor_config(const struct plan *p)
{
    json_t *o = boot_config(p);
    json_object_set_new(o, "payload", json_pack("{s:s}", "kernel", VMM_KERNEL));
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

struct api_requests cloud_hypervisor_load(void)
{
    struct api_requests r = {0};
    api_requests_add(
        &r, "PUT", CLOUD_HYPERVISOR_API "vm.restore",
        json_pack("{s:s, s:b}", "source_url", "file://" VMM_LOAD_FOLDER, "prefault", 0));
    api_requests_add(&r, "PUT", CLOUD_HYPERVISOR_API "vm.resume", NULL);
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
