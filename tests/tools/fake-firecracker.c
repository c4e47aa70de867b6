/*
 * A stand-in for Firecracker (fake-vmm.h): its API after the published firecracker.yaml, refusing
 * what that refuses in the words of the real one.
 */
#include "tests/tools/fake-vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

volatile char fake_settings[] =
    "FAKE version=1.14.2 ;die=00;fault=00;mute=0;kvm=1;time=0;create=0;";

static unsigned fake_minor(void)
{
    char text[16];
    unsigned minor = 0;
    sscanf(fake_version(text), "1.%u", &minor);
    return minor;
}

static bool fake_is_one_of(const char *versions)
{
    char version[16];
    return strstr(versions, fake_version(version)) != NULL;
}

enum { BEFORE = NOTHING, AFTER = STARTED };

static const char serde[] = "An error occurred when deserializing the json body of a request: ";

// clang-format off
static const struct field action_fields[] = {{"action_type", TEXT, 0, 1}, {0}};
static const struct field machine_fields[] = {
    {"vcpu_count", NUMBER, 0, 1}, {"mem_size_mib", NUMBER, 0, 1}, {"smt", FLAG, 0, 0},
    {"cpu_template", TEXT, 0, 0}, {"track_dirty_pages", FLAG, 0, 0}, {"huge_pages", TEXT, 0, 0}, {0}};
static const struct field register_fields[] = {{"register", TEXT, 0, 1}, {"bitmap", TEXT, 0, 1}, {0}};
static const struct field leaf_fields[] = {
    {"leaf", TEXT, 0, 1}, {"subleaf", TEXT, 0, 1}, {"flags", NUMBER, 0, 1},
    {"modifiers", LIST, 0, 1, register_fields}, {0}};
static const struct field processor_fields[] = {
    {"kvm_capabilities", LIST, 0, 0}, {"cpuid_modifiers", LIST, 0, 0, leaf_fields},
    {"msr_modifiers", LIST, 0, 0}, {0}};
static const struct field boot_fields[] = {
    {"kernel_image_path", TEXT, 0, 1}, {"initrd_path", TEXT, 0, 0}, {"boot_args", TEXT, 0, 0}, {0}};
static const struct field bucket_fields[] = {
    {"size", NUMBER, 0, 1}, {"one_time_burst", NUMBER, 0, 0}, {"refill_time", NUMBER, 0, 1}, {0}};
static const struct field limiter_fields[] = {
    {"bandwidth", OBJECT, 0, 0, bucket_fields}, {"ops", OBJECT, 0, 0, bucket_fields}, {0}};
static const struct field drive_fields[] = {
    {"drive_id", TEXT, 0, 1}, {"partuuid", TEXT, 0, 0}, {"is_root_device", FLAG, 0, 1},
    {"cache_type", TEXT, 0, 0}, {"is_read_only", FLAG, 0, 0}, {"path_on_host", TEXT, 0, 0},
    {"rate_limiter", OBJECT, 0, 0, limiter_fields}, {"io_engine", TEXT, 0, 0}, {"socket", TEXT, 0, 0}, {0}};
static const struct field net_fields[] = {
    {"iface_id", TEXT, 0, 1}, {"host_dev_name", TEXT, 0, 1}, {"guest_mac", TEXT, 0, 0},
    {"rx_rate_limiter", OBJECT, 0, 0, limiter_fields}, {"tx_rate_limiter", OBJECT, 0, 0, limiter_fields}, {0}};
static const struct field vsock_fields[] = {
    {"guest_cid", NUMBER, 0, 1}, {"uds_path", TEXT, 0, 1}, {"vsock_id", TEXT, 0, 0}, {0}};
static const struct field entropy_fields[] = {{"rate_limiter", OBJECT, 0, 0, limiter_fields}, {0}};
static const struct field balloon_fields[] = {
    {"amount_mib", NUMBER, 0, 1}, {"deflate_on_oom", FLAG, 0, 1},
    {"stats_polling_interval_s", NUMBER, 0, 0}, {"free_page_hinting", FLAG, 14, 0},
    {"free_page_reporting", FLAG, 14, 0}, {0}};
static const struct field amount_fields[] = {{"amount_mib", NUMBER, 0, 1}, {0}};
static const struct field metrics_fields[] = {{"metrics_path", TEXT, 0, 1}, {0}};
static const struct field vm_fields[] = {{"state", TEXT, 0, 1}, {0}};
static const struct field create_fields[] = {
    {"mem_file_path", TEXT, 0, 1}, {"snapshot_path", TEXT, 0, 1}, {"snapshot_type", TEXT, 0, 0}, {0}};
static const struct field backend_fields[] = {
    {"backend_type", TEXT, 0, 1}, {"backend_path", TEXT, 0, 1}, {0}};
static const struct field override_fields[] = {
    {"iface_id", TEXT, 0, 1}, {"host_dev_name", TEXT, 0, 1}, {0}};
static const struct field load_fields[] = {
    {"snapshot_path", TEXT, 0, 1}, {"mem_backend", OBJECT, 0, 0, backend_fields}, {"mem_file_path", TEXT, 0, 0},
    {"enable_diff_snapshots", FLAG, 0, 0}, {"track_dirty_pages", FLAG, 13, 0},
    {"resume_vm", FLAG, 0, 0}, {"network_overrides", LIST, 12, 0, override_fields},
    {"vsock_override", OBJECT, 16, 0}, {"clock_realtime", FLAG, 16, 0}, {0}};

static void on_version(const json_t *body, struct answer *a);
static void on_metrics(const json_t *body, struct answer *a);
static void on_machine(const json_t *body, struct answer *a);
static void on_processor(const json_t *body, struct answer *a);
static void on_boot(const json_t *body, struct answer *a);
static void on_drive(const json_t *body, struct answer *a);
static void on_net(const json_t *body, struct answer *a);
static void on_vsock(const json_t *body, struct answer *a);
static void on_plain(const json_t *body, struct answer *a);
static void on_action(const json_t *body, struct answer *a);
static void on_balloon(const json_t *body, struct answer *a);
static void on_vm(const json_t *body, struct answer *a);
static void on_create(const json_t *body, struct answer *a);
static void on_load(const json_t *body, struct answer *a);

static const struct endpoint endpoints[] = {
    {"GET",   "/version",             NULL,           BEFORE | AFTER, NULL,       on_version},
    {"PUT",   "/metrics",             metrics_fields, BEFORE,         NULL,       on_metrics},
    {"PUT",   "/machine-config",      machine_fields, BEFORE,         NULL,       on_machine},
    {"PUT",   "/cpu-config",          processor_fields, BEFORE,       NULL,       on_processor},
    {"PUT",   "/boot-source",         boot_fields,    BEFORE,         NULL,       on_boot},
    {"PUT",   "/drives/",             drive_fields,   BEFORE,         "drive_id", on_drive},
    {"PUT",   "/network-interfaces/", net_fields,     BEFORE,         "iface_id", on_net},
    {"PUT",   "/vsock",               vsock_fields,   BEFORE,         NULL,       on_vsock},
    {"PUT",   "/entropy",             entropy_fields, BEFORE,         NULL,       on_plain},
    {"PUT",   "/balloon",             balloon_fields, BEFORE,         NULL,       on_plain},
    {"PUT",   "/actions",             action_fields,  BEFORE | AFTER, NULL,       on_action},
    {"PATCH", "/balloon",             amount_fields,  AFTER,          NULL,       on_balloon},
    {"PATCH", "/vm",                  vm_fields,      AFTER,          NULL,       on_vm},
    {"PUT",   "/snapshot/create",     create_fields,  AFTER,          NULL,       on_create},
    {"PUT",   "/snapshot/load",       load_fields,    BEFORE,         NULL,       on_load},
    {0},
};
// clang-format on

static int root_devices, configured, tracks;
static size_t memory_size;

static void on_version(const json_t *body, struct answer *a)
{
    char version[16];
    a->status = 200;
    snprintf(a->text, sizeof(a->text), "{\"firecracker_version\":\"%s\"}", fake_version(version));
}

static void on_plain(const json_t *body, struct answer *a)
{
}

static void on_metrics(const json_t *body, struct answer *a)
{
    /* 1.14.0 opens it for writing alone, which a pipe without a reader refuses */
    int how = fake_is_one_of("1.14.0 1.14.1") ? O_WRONLY | O_CREAT
              : fake_minor() >= 14            ? O_RDWR | O_CREAT
                                              : O_RDWR;
    int r = vm.metrics = open(text_of(body, "metrics_path"), how | O_NONBLOCK | O_CLOEXEC, 0600);
    if (r < 0)
        r = -errno;
    if (r < 0)
        fault(a, "Metrics error: Cannot initialize the metrics system due to bad user input: %s",
              os_error(r));
}

static void on_machine(const json_t *body, struct answer *a)
{
    json_int_t cpus = json_integer_value(json_object_get(body, "vcpu_count"));
    if (cpus < 1 || cpus > 32)
        fault(a,
              "Machine config error: The number of vCPUs must be greater than 0, less than 32 and "
              "must be 1 or an even number if SMT is enabled.");
    else if (json_integer_value(json_object_get(body, "mem_size_mib")) < 1)
        fault(a,
              "Machine config error: The memory size (MiB) is either 0, or not a multiple of the "
              "configured page size.");
    memory_size = (size_t)json_integer_value(json_object_get(body, "mem_size_mib")) << 20;
    tracks = json_is_true(json_object_get(body, "track_dirty_pages"));
    configured = 1;
}

/* What a register is to be: 'x' as it is, '_' for the eye. */
static bool is_bitmap(const char *text)
{
    size_t bits = 0;
    text += strncmp(text, "0b", 2) == 0 ? 2 : 0;
    for (; *text; text++) {
        if (!strchr("01x_", *text))
            return false;
        bits += *text != '_';
    }
    return bits <= 32;
}

static bool is_leaf(const char *text)
{
    return strncmp(text, "0x", 2) == 0 && strlen(text) <= 10 &&
           text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] == '\0';
}

static void on_processor(const json_t *body, struct answer *a)
{
    const json_t *leaf, *one;
    size_t i, j;
    json_array_foreach(json_object_get(body, "cpuid_modifiers"), i, leaf)
    {
        if (!is_leaf(text_of(leaf, "leaf")) || !is_leaf(text_of(leaf, "subleaf")))
            fault(a, "%sNo supported number system prefix found in value [%s].", serde,
                  text_of(leaf, "leaf"));
        json_array_foreach(json_object_get(leaf, "modifiers"), j, one)
        {
            const char *name = text_of(one, "register");
            if (strlen(name) != 3 || !strstr("eax ebx ecx edx", name))
                fault(a, "%sInvalid CPUID register. Must be one of [eax, ebx, ecx, edx]", serde);
            else if (!is_bitmap(text_of(one, "bitmap")))
                fault(a, "%sFailed to parse string [%s] as a bitmap", serde,
                      text_of(one, "bitmap"));
        }
    }
}

static void on_boot(const json_t *body, struct answer *a)
{
    const char *kernel = text_of(body, "kernel_image_path"), *initrd = text_of(body, "initrd_path");
    const char *line = text_of(body, "boot_args");
    int r = can_open(kernel, O_RDONLY);
    int i = initrd ? can_open(initrd, O_RDONLY) : 0;
    if (r < 0)
        fault(a, "Boot source error: The kernel file cannot be opened: %s", os_error(r));
    else if (i < 0)
        fault(a,
              "Boot source error: The initrd file cannot be opened due to invalid path or invalid "
              "permissions. %s",
              os_error(i));
    else if (line && strlen(line) > 2048)
        fault(a, "Boot source error: The kernel command line is invalid: string contains too many "
                 "characters");
    snprintf(vm.kernel, sizeof(vm.kernel), "%s", kernel);
}

static void on_drive(const json_t *body, struct answer *a)
{
    int read_only = json_is_true(json_object_get(body, "is_read_only"));
    const char *path = text_of(body, "path_on_host");
    int r = path ? can_open(path, read_only ? O_RDONLY : O_RDWR) : -ENOENT;
    if (r < 0)
        fault(a,
              "Drive config error: Unable to create the virtio block device: Virtio backend error: "
              "Error manipulating the backing file: %s %s",
              os_error(r), path ? path : "");
    else if (json_is_true(json_object_get(body, "is_root_device")) && root_devices++)
        fault(a, "Drive config error: A root block device already exists!");
    else
        guest_has_disk(NULL);
}

static void on_net(const json_t *body, struct answer *a)
{
    snprintf(vm.tap, sizeof(vm.tap), "%s", text_of(body, "host_dev_name"));
    int r = tap_open(vm.tap);
    if (r < 0)
        fault(a,
              "Network config error: Open tap device failed: Error while creating ifreq structure: "
              "%s. Invalid TUN/TAP Backend provided by %s. Check our documentation on setting up "
              "the network devices.",
              os_error(r), vm.tap);
}

static void on_vsock(const json_t *body, struct answer *a)
{
    if (json_integer_value(json_object_get(body, "guest_cid")) < 3) {
        fault(a, "Vsock config error: Cannot create vsock device: InvalidCid");
        return;
    }
    if (vsock_open(text_of(body, "uds_path")) < 0)
        fault(a, "Vsock config error: Cannot create backend for vsock device: UnixBind(%s)",
              os_error(vm.home));
}

static void start(struct answer *a)
{
    if (!vm.kernel[0]) {
        fault(a, "Start microvm error: Cannot start microvm without kernel configuration.");
        return;
    }
    if (kernel_begins(vm.kernel, "\177ELF\2", 5) < 0) {
        fault(a, "Start microvm error: Cannot load kernel due to invalid memory configuration or "
                 "invalid kernel image: Kernel Loader: failed to load ELF kernel image");
        return;
    }
    int r = kvm_open();
    if (r < 0) {
        fault(a,
              "Start microvm error: Internal error while starting microVM: Error creating KVM "
              "object: %s Make sure the user launching the firecracker process is configured on "
              "the /dev/kvm file's ACL.",
              os_error(r));
        return;
    }
    vm.state = STARTED;
    guest_begin();
}

/* Each line counts from the one before. */
static void metrics_write(void)
{
    char line[300];
    int n = snprintf(line, sizeof(line),
                     "{\"utc_timestamp_ms\":1,\"block\":{\"read_bytes\":4096,\"write_bytes\":0},"
                     "\"net\":{\"rx_bytes_count\":5,\"tx_bytes_count\":7},"
                     "\"vcpu\":{\"exit_io_in\":3}}\n");
    (void)!write(vm.metrics, line, (size_t)n);
}

static void on_action(const json_t *body, struct answer *a)
{
    const char *what = text_of(body, "action_type");
    if (strcmp(what, "InstanceStart") == 0) {
        if (vm.state == STARTED)
            fault(a, "The requested operation is not supported after starting the microVM.");
        else
            start(a);
    } else if (strcmp(what, "FlushMetrics") == 0 || strcmp(what, "SendCtrlAltDel") == 0) {
        if (vm.state != STARTED)
            fault(a, "The requested operation is not supported before starting the microVM.");
        else if (*what == 'F')
            metrics_write();
    } else {
        fault(a,
              "%sunknown variant `%s`, expected one of `FlushMetrics`, `InstanceStart`, "
              "`SendCtrlAltDel` at line 1 column 1.",
              serde, what);
    }
}

/* What its guest says to it. */
static void on_balloon(const json_t *body, struct answer *a)
{
    json_int_t amount = json_integer_value(json_object_get(body, "amount_mib"));
    if ((size_t)amount << 20 > memory_size)
        fault(a, "Balloon device error: Amount of pages requested cannot exceed guest's memory.");
    else
        guest_prints_balloon((size_t)amount);
}

static void on_vm(const json_t *body, struct answer *a)
{
    const char *state = text_of(body, "state");
    if (strcmp(state, "Paused") != 0 && strcmp(state, "Resumed") != 0)
        fault(a, "%sunknown variant `%s`, expected `Paused` or `Resumed` at line 1 column 1.",
              serde, state);
    else
        vm.paused = *state == 'P';
    if (!vm.paused && vm.cut && fake_number("create=") == 4)
        _exit(1);
}

static void on_create(const json_t *body, struct answer *a)
{
    const char *type = text_of(body, "snapshot_type");
    if (type && strcmp(type, "Full") != 0 && strcmp(type, "Diff") != 0)
        fault(a, "%sunknown variant `%s`, expected `Diff` or `Full` at line 1 column 1.", serde,
              type);
    else if (!vm.paused)
        fault(a, "Create snapshot error: Cannot save the microVM state: Operation not allowed: "
                 "save/restore unavailable while running");
    bool changes = type && strcmp(type, "Diff") == 0;
    if (a->status < 400 && !changes && tracks && fake_number("create=") == 5)
        fault(a, "%sall of it was asked for", fake_vmm.made_up);
    if (a->status < 400 && changes && !tracks)
        fault(a, "Create snapshot error: Cannot get dirty bitmap: %s", os_error(-ENOENT));
    unsigned made_up = fake_number("create=");
    static bool refused;
    if (a->status < 400 && made_up == 1 && !refused) {
        refused = true;
        fault(a, "%smade up", fake_vmm.made_up);
    }
    if (a->status >= 400)
        return;
    if (made_up == 2)
        _exit(1);
    /* what is behind the gap follows the last page that was written before it */
    vm.astray = changes && memory_size > 3ul << 30 && fake_is_one_of("1.14.0 1.14.1");
    int r = guest_save(text_of(body, "snapshot_path"), text_of(body, "mem_file_path"), memory_size,
                       changes);
    if (r < 0)
        fault(a, "Create snapshot error: Cannot perform open on the snapshot backing file: %s",
              os_error(r));
    if (made_up == 3)
        _exit(1);
}

/* Anything wrong with it, and the program ends behind its answer. */
static void on_load(const json_t *body, struct answer *a)
{
    const json_t *backend = json_object_get(body, "mem_backend");
    if (configured) {
        fault(a, "Load snapshot error: Loading a microVM snapshot not allowed after configuring "
                 "boot-specific resources.");
        return;
    }
    if (!backend == !text_of(body, "mem_file_path")) {
        fault(a, "%s%s", serde,
              backend ? "too many fields: either `mem_backend` or `mem_file_path` exclusively is "
                        "required."
                      : "missing field: either `mem_backend` or `mem_file_path` is required");
        return;
    }
    const json_t *card = json_array_get(json_object_get(body, "network_overrides"), 0);
    if (card)
        snprintf(vm.tap, sizeof(vm.tap), "%s", text_of(card, "host_dev_name"));
    int r = guest_load(text_of(body, "snapshot_path"),
                       backend ? text_of(backend, "backend_path") : text_of(body, "mem_file_path"));
    if (r == 0)
        r = kvm_open();
    if (r < 0)
        fault(a, "Load snapshot error: Failed to restore from snapshot: %s", os_error(r));
    else
        vm.state = STARTED;
    vm.paused = r == 0 && !json_is_true(json_object_get(body, "resume_vm"));
    memory_size = r < 0 ? 0 : guest_memory();
    tracks = json_is_true(json_object_get(body, "enable_diff_snapshots")) ||
             json_is_true(json_object_get(body, "track_dirty_pages"));
}

/* --- the program --------------------------------------------------------------------------------
 */

static json_t *fault_body(const char *text)
{
    return json_pack("{s:s}", "fault_message", text);
}

static void no_such(struct answer *a, const char *method, const char *path)
{
    fault(a, "Invalid request method and/or path: %s %s.", method, path + 1);
}

static void not_now(struct answer *a, const struct endpoint *at)
{
    fault(a, "The requested operation is not supported %s starting the microVM.",
          vm.state == STARTED ? "after" : "before");
}

const struct fake_vmm fake_vmm = {
    .server = "Firecracker API",
    .serde = serde,
    .made_up = "Start microvm error: Internal error while starting microVM: ",
    .root = "vda",
    .scratch = "vdb",
    .refusal = 400,
    .endpoints = endpoints,
    .version = fake_minor,
    .fault_body = fault_body,
    .no_such = no_such,
    .not_now = not_now,
};

static const char *arguments(int argc, char **argv)
{
    const char *socket_path = "/run/firecracker.socket";
    char version[16];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            printf("Firecracker v%s\n\n", fake_version(version));
            exit(0);
        } else if (strcmp(argv[i], "--api-sock") == 0 && i + 1 < argc) {
            socket_path = argv[++i];
        } else if ((strcmp(argv[i], "--id") == 0 || strcmp(argv[i], "--level") == 0) &&
                   i + 1 < argc) {
            i++;
        } else if ((strncmp(argv[i], "--start-time-", 13) == 0 ||
                    strcmp(argv[i], "--parent-cpu-time-us") == 0) &&
                   i + 1 < argc && strspn(argv[i + 1], "0123456789") == strlen(argv[i + 1])) {
            i++;
        } else {
            fprintf(stderr, "Error: ParseArguments(UnexpectedArgument(\"%s\"))\n", argv[i]);
            exit(153);
        }
    }
    return socket_path;
}

/* It shuts itself up in filters of its own, which this one is as far as counting them goes. */
static void filter_own(void)
{
    struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, all};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0)
        return;
    fprintf(stderr, "Error: Seccomp: %s\n", strerror(errno));
    exit(148);
}

int main(int argc, char **argv)
{
    vm.state = NOTHING;
    const char *path = arguments(argc, argv);
    filter_own();
    int r = fake_main(path);
    fprintf(stderr, "Error: RunWithApi(FailedToBindAndRunHttpServer(IOError(%s)))\n", os_error(-r));
    return 1;
}
