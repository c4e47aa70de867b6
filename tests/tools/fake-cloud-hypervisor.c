/*
 * A stand-in for Cloud Hypervisor (fake-vmm.h): its API after the published cloud-hypervisor.yaml.
 * What the real one passes over in silence, a member that it does not know, is refused here.
 */
#include "tests/tools/fake-vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

volatile char fake_settings[] =
    "FAKE version=51.1   ;die=00;fault=00;mute=0;kvm=1;time=0;create=0;";

/* 501 is 50.1. */
static unsigned fake_release(void)
{
    char text[16];
    unsigned major = 0, minor = 0;
    sscanf(fake_version(text), "%u.%1u", &major, &minor);
    return major * 10 + minor;
}

// clang-format off
static const struct field cpus_fields[] = {
    {"boot_vcpus", NUMBER, 0, 1, NULL}, {"max_vcpus", NUMBER, 0, 1, NULL}, {"topology", OBJECT, 0, 0, NULL},
    {"nested", FLAG, 500, 0, NULL}, {"core_scheduling", TEXT, 520, 0, NULL}, {0}};
static const struct field memory_fields[] = {
    {"size", NUMBER, 0, 1, NULL}, {"shared", FLAG, 0, 0, NULL}, {"hugepages", FLAG, 0, 0, NULL},
    {"thp", FLAG, 0, 0, NULL}, {"mergeable", FLAG, 0, 0, NULL}, {"prefault", FLAG, 0, 0, NULL}, {0}};
static const struct field payload_fields[] = {
    {"kernel", TEXT, 0, 0, NULL}, {"initramfs", TEXT, 0, 0, NULL}, {"cmdline", TEXT, 0, 0, NULL},
    {"firmware", TEXT, 0, 0, NULL}, {0}};
static const struct field bucket_fields[] = {
    {"size", NUMBER, 0, 1, NULL}, {"one_time_burst", NUMBER, 0, 0, NULL}, {"refill_time", NUMBER, 0, 1, NULL}, {0}};
static const struct field limiter_fields[] = {
    {"bandwidth", OBJECT, 0, 0, bucket_fields}, {"ops", OBJECT, 0, 0, bucket_fields}, {0}};
static const struct field disk_fields[] = {
    {"path", TEXT, 0, 0, NULL}, {"readonly", FLAG, 0, 0, NULL}, {"direct", FLAG, 0, 0, NULL}, {"id", TEXT, 0, 0, NULL},
    {"serial", TEXT, 0, 0, NULL}, {"num_queues", NUMBER, 0, 0, NULL}, {"queue_size", NUMBER, 0, 0, NULL},
    {"image_type", TEXT, 501, 0, NULL},
    {"rate_limiter_config", OBJECT, 0, 0, limiter_fields}, {0}};
static const struct field net_fields[] = {
    {"id", TEXT, 0, 0, NULL}, {"tap", TEXT, 0, 0, NULL}, {"mac", TEXT, 0, 0, NULL}, {"mtu", NUMBER, 0, 0, NULL},
    {"rate_limiter_config", OBJECT, 0, 0, limiter_fields}, {0}};
static const struct field rng_fields[] = {{"src", TEXT, 0, 1, NULL}, {"iommu", FLAG, 0, 0, NULL}, {0}};
static const struct field balloon_fields[] = {
    {"size", NUMBER, 0, 1, NULL}, {"deflate_on_oom", FLAG, 0, 0, NULL}, {"free_page_reporting", FLAG, 0, 0, NULL}, {0}};
static const struct field console_fields[] = {
    {"mode", TEXT, 0, 1, NULL}, {"file", TEXT, 0, 0, NULL}, {"socket", TEXT, 0, 0, NULL}, {0}};
static const struct field vsock_fields[] = {
    {"cid", NUMBER, 0, 1, NULL}, {"socket", TEXT, 0, 1, NULL}, {"id", TEXT, 0, 0, NULL}, {0}};
static const struct field share_fields[] = {
    {"tag", TEXT, 0, 1, NULL}, {"socket", TEXT, 0, 1, NULL}, {"num_queues", NUMBER, 0, 1, NULL},
    {"queue_size", NUMBER, 0, 1, NULL}, {"pci_segment", NUMBER, 0, 0, NULL}, {"id", TEXT, 0, 0, NULL}, {0}};
static const struct field rule_fields[] = {{"path", TEXT, 0, 1, NULL}, {"access", TEXT, 0, 1, NULL}, {0}};
static const struct field config_fields[] = {
    {"cpus", OBJECT, 0, 0, cpus_fields}, {"memory", OBJECT, 0, 0, memory_fields},
    {"payload", OBJECT, 0, 0, payload_fields}, {"disks", LIST, 0, 0, disk_fields}, {"net", LIST, 0, 0, net_fields},
    {"rng", OBJECT, 0, 0, rng_fields}, {"balloon", OBJECT, 0, 0, balloon_fields},
    {"serial", OBJECT, 0, 0, console_fields}, {"console", OBJECT, 0, 0, console_fields},
    {"fs", LIST, 0, 0, share_fields}, {"vsock", OBJECT, 0, 0, vsock_fields}, {"landlock_enable", FLAG, 0, 0, NULL},
    {"landlock_rules", LIST, 0, 0, rule_fields}, {"pvpanic", FLAG, 0, 0, NULL}, {"watchdog", FLAG, 0, 0, NULL}, {0}};

static const struct field resize_fields[] = {
    {"desired_vcpus", NUMBER, 0, 0, NULL}, {"desired_ram", NUMBER, 0, 0, NULL},
    {"desired_balloon", NUMBER, 0, 0, NULL}, {0}};
static const struct field snapshot_fields[] = {{"destination_url", TEXT, 0, 0, NULL}, {0}};
static const struct field restore_fields[] = {
    {"source_url", TEXT, 0, 1, NULL}, {"prefault", FLAG, 0, 0, NULL}, {"memory_restore_mode", TEXT, 520, 0, NULL},
    {"resume", FLAG, 520, 0, NULL}, {0}};

static void on_ping(const json_t *body, struct answer *a);
static void on_create(const json_t *body, struct answer *a);
static void on_add_disk(const json_t *body, struct answer *a);
static void on_add_net(const json_t *body, struct answer *a);
static void on_add_share(const json_t *body, struct answer *a);
static void on_add_vsock(const json_t *body, struct answer *a);
static void on_boot(const json_t *body, struct answer *a);
static void on_pause(const json_t *body, struct answer *a);
static void on_resume(const json_t *body, struct answer *a);
static void on_counters(const json_t *body, struct answer *a);
static void on_resize(const json_t *body, struct answer *a);
static void on_snapshot(const json_t *body, struct answer *a);
static void on_restore(const json_t *body, struct answer *a);

enum { ALWAYS = NOTHING | CREATED | STARTED };
#define API "/api/v1/"
static const struct endpoint endpoints[] = {
    {"GET", API "vmm.ping",    NULL,          ALWAYS,  NULL, on_ping},
    {"PUT", API "vm.create",   config_fields, NOTHING, NULL, on_create},
    {"PUT", API "vm.add-disk", disk_fields,   CREATED, NULL, on_add_disk},
    {"PUT", API "vm.add-net",  net_fields,    CREATED, NULL, on_add_net},
    {"PUT", API "vm.add-fs",   share_fields,  CREATED, NULL, on_add_share},
    {"PUT", API "vm.add-vsock", vsock_fields, CREATED, NULL, on_add_vsock},
    {"PUT", API "vm.boot",     NULL,          CREATED, NULL, on_boot},
    {"PUT", API "vm.pause",    NULL,          STARTED, NULL, on_pause},
    {"PUT", API "vm.resume",   NULL,          STARTED, NULL, on_resume},
    {"PUT", API "vm.resize",   resize_fields, STARTED, NULL, on_resize},
    {"GET", API "vm.counters", NULL,          STARTED, NULL, on_counters},
    {"PUT", API "vm.snapshot", snapshot_fields, STARTED, NULL, on_snapshot},
    {"PUT", API "vm.restore",  restore_fields, NOTHING, NULL, on_restore},
    {0},
};
// clang-format on

static char initramfs[256], vsock[108];
static int lock;
static const char *self; /* a file that no machine names */

static void on_ping(const json_t *body, struct answer *a)
{
    char version[16];
    fake_version(version);
    a->status = 200;
    snprintf(a->text, sizeof(a->text),
             "{\"build_version\":\"v%s\",\"version\":\"%s.0\",\"pid\":1,\"features\":[\"kvm\"]}",
             version, version);
}

/* --- its Landlock -------------------------------------------------------------------------------
 */

enum {
    LOCK_NONE_HERE = 2,
    MAY_READ = 1 << 0 | 1 << 2 | 1 << 3,
    MAY_WRITE = 1 << 1 | ((1 << 13) - (1 << 4))
};

/* A path that is not there is passed over, as the crate it uses does. */
static void lock_path(int rules, const char *path, const char *access)
{
    struct landlock_path_beneath_attr at = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
    struct stat st;
    if (at.parent_fd < 0 || fstat(at.parent_fd, &st) < 0)
        return;
    for (; *access; access++)
        at.allowed_access |= *access == 'r' ? MAY_READ : MAY_WRITE;
    if (!S_ISDIR(st.st_mode))
        at.allowed_access &= 1 << 0 | 1 << 1 | 1 << 2;
    syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &at, 0);
    close(at.parent_fd);
}

/* Made of what the machine names; whatever is opened afterwards and was not named is refused. */
static int lock_files(const json_t *config)
{
    const json_t *one, *payload = json_object_get(config, "payload");
    size_t i;
    uint64_t handled = MAY_READ | MAY_WRITE;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
    if (rules < 0 && errno != ENOSYS && errno != EOPNOTSUPP)
        return -errno;
    if (rules < 0) {
        lock = LOCK_NONE_HERE;
        return 0;
    }
    json_array_foreach(json_object_get(config, "disks"), i, one)
        lock_path(rules, text_of(one, "path"), "rw");
    lock_path(rules, text_of(json_object_get(config, "rng"), "src"), "r");
    if (json_object_get(config, "net"))
        lock_path(rules, "/dev/net/tun", "rw");
    lock_path(rules, text_of(json_object_get(config, "vsock"), "socket"), "rw");
    json_array_foreach(json_object_get(config, "fs"), i, one)
        lock_path(rules, text_of(one, "socket"), "rw");
    lock_path(rules, text_of(payload, "kernel"), "r");
    lock_path(rules, text_of(payload, "initramfs"), "r");
    json_array_foreach(json_object_get(config, "landlock_rules"), i, one)
        lock_path(rules, text_of(one, "path"), text_of(one, "access"));
    int r = syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? -errno : 0;
    close(rules);
    return r;
}

/* --- what they do -------------------------------------------------------------------------------
 */

static void keep(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
}

static json_t *machine; /* what it is */

static void on_create(const json_t *body, struct answer *a)
{
    const json_t *cpus = json_object_get(body, "cpus"), *payload = json_object_get(body, "payload");
    json_int_t boot = json_integer_value(json_object_get(cpus, "boot_vcpus"));
    if (boot > json_integer_value(json_object_get(cpus, "max_vcpus"))) {
        fault(a, "The VM config is invalid: Max CPUs lower than boot CPUs");
        return;
    }
    if (!payload) {
        fault(a, "The VM config is invalid: No kernel specified");
        return;
    }
    keep(vm.kernel, sizeof(vm.kernel), text_of(payload, "kernel"));
    keep(initramfs, sizeof(initramfs), text_of(payload, "initramfs"));
    lock = json_is_true(json_object_get(body, "landlock_enable"));
    int kvm = kvm_open(); /* before the files are locked */
    int chance = can_open(text_of(json_object_get(body, "rng"), "src"), O_RDONLY);
    int r = kvm < 0 ? kvm : lock ? lock_files(body) : 0;
    if (r < 0 || chance < 0)
        fault(a, "The VM could not be created: %s", os_error(r < 0 ? r : chance));
    else
        vm.state = CREATED;
    machine = json_deep_copy(body);
}

/* Before it boots that makes the description longer, and no more; what is in there twice is
 * refused. */
static void add_to(const char *list, const json_t *body, struct answer *a)
{
    const char *id = text_of(body, "id");
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(machine, list), i, one)
    {
        if (id && text_of(one, "id") && strcmp(id, text_of(one, "id")) == 0) {
            fault(
                a,
                "Error from API: The %s could not be added to the VM: Identifier %s is not unique",
                *list == 'd'   ? "disk"
                : *list == 'f' ? "fs"
                               : "network device",
                id);
            return;
        }
    }
    if (!json_object_get(machine, list))
        json_object_set_new(machine, list, json_array());
    json_array_append_new(json_object_get(machine, list), json_deep_copy(body));
}

static void on_add_disk(const json_t *body, struct answer *a)
{
    add_to("disks", body, a);
    guest_has_disk(text_of(body, "serial"));
}

static void on_add_net(const json_t *body, struct answer *a)
{
    add_to("net", body, a);
    keep(vm.tap, sizeof(vm.tap), text_of(body, "tap"));
}

/* Who serves it sees the guest's memory, or there is nothing to serve it from. */
static void on_add_share(const json_t *body, struct answer *a)
{
    const json_t *memory = json_object_get(machine, "memory");
    if (!json_is_true(json_object_get(memory, "shared")) &&
        !json_is_true(json_object_get(memory, "hugepages")))
        fault(a, "Error from API: The fs could not be added to the VM: Using vhost-user requires "
                 "using shared memory or huge pages");
    else
        add_to("fs", body, a);
}

static void on_add_vsock(const json_t *body, struct answer *a)
{
    static const char could[] = "Error from API: The vsock device could not be added to the VM: ";
    if (json_object_get(machine, "vsock"))
        fault(a, "%sToo many virtio-vsock devices", could);
    else if (json_integer_value(json_object_get(body, "cid")) < 3)
        fault(a, "%s%d is a special VSOCK CID", could,
              (int)json_integer_value(json_object_get(body, "cid")));
    else
        json_object_set_new(machine, "vsock", json_deep_copy(body));
    keep(vsock, sizeof(vsock), text_of(body, "socket"));
}

/* Up to 48 a device that it does not see in /sys is given an address, which takes a socket of IPv4.
 */
static int card_open(void)
{
    char seen[64];
    snprintf(seen, sizeof(seen), "/sys/class/net/%s", vm.tap);
    int r = tap_open(vm.tap);
    if (r == 0 && fake_release() < 490 && access(seen, F_OK) < 0)
        r = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0 ? -errno : -EPERM;
    return r < 0 ? r : tap_is_up(vm.tap);
}

/* What a rule names has to be there; NULL: it is. */
static const char *rule_of_nothing(void)
{
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(machine, "landlock_rules"), i, one)
    {
        if (access(text_of(one, "path"), F_OK) < 0)
            return text_of(one, "path");
    }
    return NULL;
}

/* What is written to has to be told what it is, or its first sector is none to write to. */
static int disks_open(void)
{
    const json_t *one;
    size_t i;
    int r = 0;
    json_array_foreach(json_object_get(machine, "disks"), i, one)
    {
        bool reads = json_is_true(json_object_get(one, "readonly"));
        const char *type = text_of(one, "image_type");
        if (!reads && fake_release() >= 501 && (!type || strcmp(type, "Raw") != 0))
            return -EROFS;
        if (r == 0)
            r = can_open(text_of(one, "path"), reads ? O_RDONLY : O_RDWR);
    }
    return r;
}

/* The first words of the vhost-user protocol: what can you do? The connection stays. */
static int share_open(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const uint32_t ask[3] = {1, 1, 0};
    struct {
        uint32_t head[3], features[2];
    } answer;
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path ? path : "");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
        return -errno;
    if (send(fd, ask, sizeof(ask), MSG_NOSIGNAL) != sizeof(ask) ||
        recv(fd, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer) || answer.head[0] != 1)
        return -ECONNRESET;
    return 0;
}

static int shares_open(void)
{
    const json_t *one;
    size_t i;
    int r = 0;
    json_array_foreach(json_object_get(machine, "fs"), i, one) r =
        r < 0 ? r : share_open(text_of(one, "socket"));
    return r;
}

static void on_boot(const json_t *body, struct answer *a)
{
    int s = shares_open();
    int r = kernel_begins(vm.kernel, "\177ELF\2", 5);
    int card = *vm.tap ? card_open() : 0;
    int i = can_open(initramfs, O_RDONLY), d = disks_open();
    const char *none = rule_of_nothing();
    if (none)
        fault(a,
              "Error from API: The VM could not boot: Error from config: Path \"%s\" provided in "
              "landlock-rules does not exist",
              none);
    else if (r < 0)
        fault(a, "Error from API: The VM could not boot: Cannot load the kernel into memory: %s",
              os_error(r));
    else if (i < 0)
        fault(a, "Error from API: The VM could not boot: Cannot open initramfs file: %s",
              os_error(i));
    else if (d < 0)
        fault(a,
              "Error from API: The VM could not boot: Error from device manager: Cannot open "
              "disk path: %s",
              os_error(d));
    else if (card < 0)
        fault(a,
              "Error from API: The VM could not boot: Error from device manager: Cannot create "
              "virtio-net device: Failed to open taps: %s",
              os_error(card));
    else if (s < 0)
        fault(a,
              "Error from API: The VM could not boot: Error from device manager: Cannot create "
              "virtio-fs device: Failed to connect to the vhost-user backend: %s",
              os_error(s));
    else if (vsock_open(vsock) < 0)
        fault(a,
              "Error from API: The VM could not boot: Error from device manager: Cannot create "
              "virtio-vsock backend: Error binding to the host-side Unix socket: %s",
              os_error(vm.home));
    else if (!lock)
        fault(a, "it was not told to lock itself in");
    else if (lock != LOCK_NONE_HERE && can_open(self, O_RDONLY) != -EACCES)
        fault(a, "its Landlock does not hold");
    else {
        vm.state = STARTED;
        guest_begin();
    }
}

static void on_pause(const json_t *body, struct answer *a)
{
    if (vm.paused++)
        fault(a, "Error from API: The VM could not be paused: Invalid transition: "
                 "InvalidStateTransition(Paused, Paused)");
}

static void on_resume(const json_t *body, struct answer *a)
{
    if (vm.paused && vm.saved && fake_number("create=") == 4)
        _exit(1);
    if (!vm.paused)
        fault(a, "Error from API: The VM could not resume: Invalid transition: "
                 "InvalidStateTransition(Running, Running)");
    vm.paused = 0;
}

/* "file:///PATH", which has to be a folder; NULL: it is not. */
static const char *folder_of(const char *url)
{
    struct stat st;
    bool file = url && strncmp(url, "file://", 7) == 0;
    return file && stat(url + 7, &st) == 0 && S_ISDIR(st.st_mode) ? url + 7 : NULL;
}

/* Its files are new ones; what the machine is, is in two of them. */
static int save(const char *folder)
{
    char memory[128], state[128], config[128];
    snprintf(memory, sizeof(memory), "%s/memory-ranges", folder);
    snprintf(state, sizeof(state), "%s/state.json", folder);
    snprintf(config, sizeof(config), "%s/config.json", folder);
    json_int_t size =
        json_integer_value(json_object_get(json_object_get(machine, "memory"), "size"));
    if (access(memory, F_OK) == 0)
        return -EEXIST;
    int r = guest_save(state, memory, (size_t)size, false);
    FILE *into = r < 0 ? NULL : fopen(state, "a");
    bool good = into && json_dumpf(machine, into, JSON_COMPACT) == 0 && fclose(into) == 0 &&
                json_dump_file(machine, config, JSON_COMPACT) == 0;
    vm.cut = 0; /* who was connected to the guest still is */
    return r < 0 ? r : good ? 0 : -EIO;
}

static void on_snapshot(const json_t *body, struct answer *a)
{
    static const char could[] = "Error from API: The VM could not be snapshotted: ";
    const char *folder = folder_of(text_of(body, "destination_url"));
    unsigned made_up = fake_number("create=");
    if (made_up == 1 && !vm.saved++) {
        fault(a, "%smade up", fake_vmm.made_up);
        return;
    }
    if (!vm.paused) {
        fault(a, "%sFailed to snapshot VM: Trying to snapshot while VM is running", could);
        return;
    }
    if (!folder) {
        fault(a, "%sDestination is not a directory", could);
        return;
    }
    if (made_up == 2)
        _exit(1);
    int r = save(folder);
    vm.saved = 1;
    if (r < 0)
        fault(a, "%sFailed to send migratable component snapshot: %s", could, os_error(r));
    if (made_up == 3)
        _exit(1);
}

/* A card's address and what was booted are in the state, and not looked at in what is described
 * beside it. */
static json_t *what_is_alike(const json_t *o)
{
    json_t *copy = json_deep_copy(o), *one;
    size_t i;
    json_array_foreach(json_object_get(copy, "net"), i, one) json_object_del(one, "mac");
    json_object_del(copy, "payload");
    return copy;
}

/* What its state is of has to be the machine that is described beside it. */
static int load_machine(const char *folder, struct answer *a)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/config.json", folder);
    machine = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(machine))
        return -ENOENT;
    check_fields(machine, config_fields, a);
    if (rule_of_nothing())
        return -ENOENT;
    snprintf(path, sizeof(path), "%s/state.json", folder);
    FILE *from = fopen(path, "r");
    if (!from || fseek(from, (long)guest_size(), SEEK_SET) < 0)
        return -ENOENT;
    json_t *then = json_loadf(from, 0, NULL);
    fclose(from);
    json_t *is = what_is_alike(machine), *was = what_is_alike(then);
    int r = json_equal(is, was) ? 0 : -EBADMSG;
    json_decref(is);
    json_decref(was);
    json_decref(then);
    return r;
}

static void on_restore(const json_t *body, struct answer *a)
{
    const char *folder = folder_of(text_of(body, "source_url"));
    char memory[128], state[128];
    int r = folder ? load_machine(folder, a) : -ENOTDIR;
    if (a->status >= 400)
        return;
    snprintf(memory, sizeof(memory), "%s/memory-ranges", folder ? folder : "");
    snprintf(state, sizeof(state), "%s/state.json", folder ? folder : "");
    const json_t *payload = json_object_get(machine, "payload");
    const char *initrd = text_of(payload, "initramfs");
    if (r == 0 && !text_of(payload, "kernel")) {
        fault(a,
              "Error from API: The VM could not restored: Failed to validate config: Payload "
              "configuration is not bootable: No bootitem provided: neither firmware nor kernel");
        return;
    }
    int opened = r == 0 && initrd ? can_open(initrd, O_RDONLY) : 0; /* though it is not booted */
    if (opened < 0) {
        fault(a, "Error from API: The VM could not restored: Cannot open initramfs file: %s",
              os_error(opened));
        return;
    }
    if (r == 0)
        r = kvm_open();
    if (r == 0)
        r = guest_load(state, memory);
    vm.cut = 0;
    lock = json_is_true(json_object_get(machine, "landlock_enable"));
    if (r == 0 && lock)
        r = lock_files(machine);
    if (r < 0) {
        fault(a, "Error from API: The VM could not be restored: Failed to restore VM: %s",
              os_error(r));
        return;
    }
    vm.state = STARTED;
    vm.paused = !json_is_true(json_object_get(body, "resume"));
}

static void on_resize(const json_t *body, struct answer *a)
{
    const json_t *balloon = json_object_get(body, "desired_balloon");
    json_int_t memory =
        json_integer_value(json_object_get(json_object_get(machine, "memory"), "size"));
    if (!balloon || !json_object_get(machine, "balloon"))
        fault(a, "Error from API: The VM could not be resized: Cannot resize memory");
    else if (json_integer_value(balloon) > memory)
        fault(a, "Error from API: The VM could not be resized: Balloon bigger than RAM");
    else
        guest_prints_balloon((size_t)json_integer_value(balloon) >> 20);
}

static void on_counters(const json_t *body, struct answer *a)
{
    a->status = 200;
    snprintf(a->text, sizeof(a->text),
             "{\"root\":{\"read_bytes\":8192,\"write_bytes\":0,\"read_latency_min\":"
             "18446744073709551615},\"_vsock1\":{},\"eth0\":{\"rx_bytes\":5,\"tx_bytes\":7}}");
}

/* --- the program --------------------------------------------------------------------------------
 */

/* A list, the outermost first. */
static json_t *fault_body(const char *text)
{
    json_t *list = json_array();
    for (const char *at = text, *next; at; at = next ? next + 2 : NULL) {
        next = strstr(at, ": ");
        size_t size = next ? (size_t)(next - at) : strlen(at);
        json_array_append_new(list, json_stringn(at, size));
    }
    return list;
}

static void no_such(struct answer *a, const char *method, const char *path)
{
    fault_with(a, 404, "Not Found");
}

static void not_now(struct answer *a, const struct endpoint *at)
{
    fault(a, "Error from API: %s",
          vm.state == NOTHING   ? "VM is not created"
          : vm.state == CREATED ? "VM is not running"
                                : "VM is already created");
}

const struct fake_vmm fake_vmm = {
    .server = "Cloud Hypervisor API",
    .serde = "Error deserializing the json: ",
    .made_up = "Error from API: The VM could not boot: ",
    .root = "vda",
    .scratch = "serial:scratch",
    .refusal = 500,
    .endpoints = endpoints,
    .version = fake_release,
    .fault_body = fault_body,
    .no_such = no_such,
    .not_now = not_now,
};

static const char *arguments(int argc, char **argv)
{
    const char *socket_path = NULL;
    char version[16];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            printf("cloud-hypervisor v%s\n", fake_version(version));
            exit(0);
        } else if (strcmp(argv[i], "--api-socket") == 0 && i + 1 < argc &&
                   strncmp(argv[i + 1], "path=", 5) == 0) {
            socket_path = argv[++i] + 5;
        } else if (strcmp(argv[i], "--seccomp") == 0 && i + 1 < argc &&
                   strcmp(argv[i + 1], "true") == 0) {
            i++;
        } else {
            fprintf(stderr, "error: unexpected argument '%s' found\n", argv[i]);
            exit(2);
        }
    }
    return socket_path ? socket_path : "/run/none";
}

/* From 53 on the lock of a file beside it says whose the socket is. */
static int socket_take(const char *path)
{
    char name[128];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fake_release() < 530)
        return 0;
    snprintf(name, sizeof(name), "%s.lock", path);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &whole) < 0)
        return errno;
    unlink(path);
    return 0;
}

int main(int argc, char **argv)
{
    umask(077); /* as the real one */
    const char *path = arguments(argc, argv);
    int pair[2];
    self = argv[0];
    vm.state = NOTHING;
    int r = socket_take(path);
    /* what hears its signals */
    if (r == 0)
        r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ? errno : fake_main(path);
    fprintf(stderr, "cloud-hypervisor: Error creating the API socket: %s\n", os_error(-r));
    return 1;
}
