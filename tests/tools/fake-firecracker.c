/*
 * A stand-in for Firecracker where there is none, or no KVM: its API after the published
 * firecracker.yaml, refusing what that refuses in the words of the real one, and behind it a
 * made-up guest that speaks the agent's protocol over the vsock sockets. It runs in the jail the
 * real one would run in, opens every file it is told of, and is built without any code of the
 * monitor's.
 *
 * FAKE below is changed in copies of the program (with sed): "version=", "die=" and "fault=": the
 * number of the request at which it ends, or refuses; "mute=1": a guest that never calls;
 * "kvm=0": the device of KVM is not opened; "time=1": a refusal tells when it was asked, in
 * microseconds of CLOCK_MONOTONIC.
 */
#include "init/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static volatile char fake[] = "FAKE version=1.14.2 ;die=00;fault=00;mute=0;kvm=1;time=0;";

static unsigned fake_number(const char *name)
{
    const char *at = strstr((const char *)fake, name);
    return at ? (unsigned)atoi(at + strlen(name)) : 0;
}

static const char *fake_version(char to[16])
{
    sscanf((const char *)fake, "FAKE version=%15[^ ;]", to);
    return to;
}

static unsigned fake_minor(void)
{
    char text[16];
    unsigned minor = 0;
    sscanf(fake_version(text), "1.%u", &minor);
    return minor;
}

/* --- what a request may look like ---------------------------------------------------------------
 */

enum field_type { NUMBER, TEXT, FLAG, OBJECT, LIST };
struct field {
    const char *name;
    enum field_type type;
    unsigned since; /* minor version; 0: always */
    unsigned needed;
};
enum when { BEFORE = 1, AFTER = 2 };

// clang-format off
static const struct field no_fields[] = {{0}};
static const struct field action_fields[] = {{"action_type", TEXT, 0, 1}, {0}};
static const struct field machine_fields[] = {
    {"vcpu_count", NUMBER, 0, 1}, {"mem_size_mib", NUMBER, 0, 1}, {"smt", FLAG, 0, 0},
    {"cpu_template", TEXT, 0, 0}, {"track_dirty_pages", FLAG, 0, 0}, {"huge_pages", TEXT, 0, 0}, {0}};
static const struct field boot_fields[] = {
    {"kernel_image_path", TEXT, 0, 1}, {"initrd_path", TEXT, 0, 0}, {"boot_args", TEXT, 0, 0}, {0}};
static const struct field drive_fields[] = {
    {"drive_id", TEXT, 0, 1}, {"partuuid", TEXT, 0, 0}, {"is_root_device", FLAG, 0, 1},
    {"cache_type", TEXT, 0, 0}, {"is_read_only", FLAG, 0, 0}, {"path_on_host", TEXT, 0, 0},
    {"rate_limiter", OBJECT, 0, 0}, {"io_engine", TEXT, 0, 0}, {"socket", TEXT, 0, 0}, {0}};
static const struct field net_fields[] = {
    {"iface_id", TEXT, 0, 1}, {"host_dev_name", TEXT, 0, 1}, {"guest_mac", TEXT, 0, 0},
    {"rx_rate_limiter", OBJECT, 0, 0}, {"tx_rate_limiter", OBJECT, 0, 0}, {0}};
static const struct field vsock_fields[] = {
    {"guest_cid", NUMBER, 0, 1}, {"uds_path", TEXT, 0, 1}, {"vsock_id", TEXT, 0, 0}, {0}};
static const struct field entropy_fields[] = {{"rate_limiter", OBJECT, 0, 0}, {0}};
static const struct field balloon_fields[] = {
    {"amount_mib", NUMBER, 0, 1}, {"deflate_on_oom", FLAG, 0, 1},
    {"stats_polling_interval_s", NUMBER, 0, 0}, {"free_page_hinting", FLAG, 14, 0},
    {"free_page_reporting", FLAG, 14, 0}, {0}};
static const struct field metrics_fields[] = {{"metrics_path", TEXT, 0, 1}, {0}};
static const struct field vm_fields[] = {{"state", TEXT, 0, 1}, {0}};
static const struct field create_fields[] = {
    {"mem_file_path", TEXT, 0, 1}, {"snapshot_path", TEXT, 0, 1}, {"snapshot_type", TEXT, 0, 0}, {0}};
static const struct field load_fields[] = {
    {"snapshot_path", TEXT, 0, 1}, {"mem_backend", OBJECT, 0, 0}, {"mem_file_path", TEXT, 0, 0},
    {"enable_diff_snapshots", FLAG, 0, 0}, {"track_dirty_pages", FLAG, 13, 0},
    {"resume_vm", FLAG, 0, 0}, {"network_overrides", LIST, 12, 0},
    {"vsock_override", OBJECT, 16, 0}, {"clock_realtime", FLAG, 16, 0}, {0}};

struct answer { int status; char text[600]; };
static void on_version(const json_t *body, struct answer *a);
static void on_metrics(const json_t *body, struct answer *a);
static void on_machine(const json_t *body, struct answer *a);
static void on_boot(const json_t *body, struct answer *a);
static void on_drive(const json_t *body, struct answer *a);
static void on_vsock(const json_t *body, struct answer *a);
static void on_plain(const json_t *body, struct answer *a);
static void on_action(const json_t *body, struct answer *a);
static void on_vm(const json_t *body, struct answer *a);

static const struct endpoint {
    const char *method, *path;
    const struct field *fields;
    unsigned when;
    const char *id; /* the path goes on with this field's value */
    void (*run)(const json_t *body, struct answer *a);
} endpoints[] = {
    {"GET",   "/version",             no_fields,      BEFORE | AFTER, NULL,       on_version},
    {"PUT",   "/metrics",             metrics_fields, BEFORE,         NULL,       on_metrics},
    {"PUT",   "/machine-config",      machine_fields, BEFORE,         NULL,       on_machine},
    {"PUT",   "/boot-source",         boot_fields,    BEFORE,         NULL,       on_boot},
    {"PUT",   "/drives/",             drive_fields,   BEFORE,         "drive_id", on_drive},
    {"PUT",   "/network-interfaces/", net_fields,     BEFORE,         "iface_id", on_plain},
    {"PUT",   "/vsock",               vsock_fields,   BEFORE,         NULL,       on_vsock},
    {"PUT",   "/entropy",             entropy_fields, BEFORE,         NULL,       on_plain},
    {"PUT",   "/balloon",             balloon_fields, BEFORE,         NULL,       on_plain},
    {"PUT",   "/actions",             action_fields,  BEFORE | AFTER, NULL,       on_action},
    {"PATCH", "/vm",                  vm_fields,      AFTER,          NULL,       on_vm},
    {"PUT",   "/snapshot/create",     create_fields,  AFTER,          NULL,       on_plain},
    {"PUT",   "/snapshot/load",       load_fields,    BEFORE,         NULL,       on_plain},
};
// clang-format on

static struct {
    int listen, api, home, guest;
    int started, paused, balloon_mib;
    unsigned requests;
    int metrics;
    char kernel[256], vsock[108];
    int has_machine, root_devices;
} vm = {.listen = -1, .api = -1, .home = -1, .guest = -1, .metrics = -1};

__attribute__((format(printf, 2, 3))) static void fault(struct answer *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    a->status = 400;
    vsnprintf(a->text, sizeof(a->text), fmt, ap);
    va_end(ap);
}

static int type_fits(const json_t *v, enum field_type t)
{
    switch (t) {
    case NUMBER:
        return json_is_integer(v) && json_integer_value(v) >= 0;
    case TEXT:
        return json_is_string(v);
    case FLAG:
        return json_is_boolean(v);
    case OBJECT:
        return json_is_object(v);
    case LIST:
        return json_is_array(v);
    }
    return 0;
}

static const char serde[] = "An error occurred when deserializing the json body of a request: ";

static void check_fields(const json_t *body, const struct field *fields, struct answer *a)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)body, key, value)
    {
        const struct field *f = fields;
        while (f->name && strcmp(f->name, key) != 0)
            f++;
        if (!f->name || f->since > fake_minor()) {
            fault(a, "%sunknown field `%s`, expected `%s` at line 1 column 1.", serde, key,
                  fields[0].name ? fields[0].name : "none");
            return;
        }
        if (!type_fits(value, f->type)) {
            fault(a, "%sinvalid type: for `%s` at line 1 column 1.", serde, key);
            return;
        }
    }
    for (const struct field *f = fields; f->name; f++)
        if (f->needed && !json_object_get(body, f->name)) {
            fault(a, "%smissing field `%s` at line 1 column 1.", serde, f->name);
            return;
        }
}

/* --- what they do -------------------------------------------------------------------------------
 */

static const char *text_of(const json_t *body, const char *name)
{
    return json_string_value(json_object_get(body, name));
}

static int can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

static const char *os_error(int r)
{
    static char text[128];
    snprintf(text, sizeof(text), "%s (os error %d)", strerror(-r), -r);
    return text;
}

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
    /* 1.14 opens it for writing alone, which a pipe without a reader refuses */
    int how = fake_minor() == 14  ? O_WRONLY | O_CREAT
              : fake_minor() > 14 ? O_RDWR | O_CREAT
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
    vm.has_machine = 1;
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
    else if (json_is_true(json_object_get(body, "is_root_device")) && vm.root_devices++)
        fault(a, "Drive config error: A root block device already exists!");
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0)
        return -errno;
    return fd;
}

static void on_vsock(const json_t *body, struct answer *a)
{
    if (json_integer_value(json_object_get(body, "guest_cid")) < 3) {
        fault(a, "Vsock config error: Cannot create vsock device: InvalidCid");
        return;
    }
    snprintf(vm.vsock, sizeof(vm.vsock), "%s", text_of(body, "uds_path"));
    vm.home = listen_at(vm.vsock);
    if (vm.home < 0)
        fault(a, "Vsock config error: Cannot create backend for vsock device: UnixBind(%s)",
              os_error(vm.home));
}

static void guest_begin(void);

static void start(struct answer *a)
{
    unsigned char mark[5] = {0};
    if (!vm.kernel[0]) {
        fault(a, "Start microvm error: Cannot start microvm without kernel configuration.");
        return;
    }
    int fd = open(vm.kernel, O_RDONLY | O_CLOEXEC);
    (void)!read(fd, mark, sizeof(mark));
    close(fd);
    if (memcmp(mark, "\177ELF\2", 5) != 0) {
        fault(a, "Start microvm error: Cannot load kernel due to invalid memory configuration or "
                 "invalid kernel image: Kernel Loader: failed to load ELF kernel image");
        return;
    }
    fd = fake_number("kvm=") ? open("/dev/kvm", O_RDWR | O_CLOEXEC) : 0;
    if (fd < 0) {
        fault(a,
              "Start microvm error: Internal error while starting microVM: Error creating KVM "
              "object: %s Make sure the user launching the firecracker process is configured on "
              "the /dev/kvm file's ACL.",
              os_error(-errno));
        return;
    }
    vm.started = 1;
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
        if (vm.started)
            fault(a, "The requested operation is not supported after starting the microVM.");
        else
            start(a);
    } else if (strcmp(what, "FlushMetrics") == 0 || strcmp(what, "SendCtrlAltDel") == 0) {
        if (!vm.started)
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

static void on_vm(const json_t *body, struct answer *a)
{
    const char *state = text_of(body, "state");
    if (strcmp(state, "Paused") != 0 && strcmp(state, "Resumed") != 0)
        fault(a, "%sunknown variant `%s`, expected `Paused` or `Resumed` at line 1 column 1.",
              serde, state);
    else
        vm.paused = *state == 'P';
}

/* --- HTTP ---------------------------------------------------------------------------------------
 */

static void answer_send(const struct answer *a)
{
    char head[256];
    json_t *o = a->status == 400 ? json_pack("{s:s}", "fault_message", a->text) : NULL;
    char *body = o ? json_dumps(o, JSON_COMPACT) : strdup(a->text);
    int n = a->status == 204
                ? snprintf(head, sizeof(head),
                           "HTTP/1.1 204 \r\nServer: Firecracker API\r\nConnection: "
                           "keep-alive\r\n\r\n")
                : snprintf(head, sizeof(head),
                           "HTTP/1.1 %d \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n"
                           "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                           a->status, strlen(body));
    (void)!write(vm.api, head, (size_t)n);
    if (a->status != 204)
        (void)!write(vm.api, body, strlen(body));
    free(body);
    json_decref(o);
}

static const char *when(void)
{
    static char text[40];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (fake_number("time="))
        snprintf(text, sizeof(text), " at %lld us",
                 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    return text;
}

static void serve(const char *method, const char *path, const char *body, size_t size)
{
    struct answer a = {.status = 204};
    const struct endpoint *at = NULL;
    vm.requests++;
    if (fake_number("die=") == vm.requests)
        _exit(1);
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        const struct endpoint *e = &endpoints[i];
        size_t length = strlen(e->path);
        if (strcmp(e->method, method) == 0 &&
            (e->id ? strncmp(path, e->path, length) == 0 : strcmp(path, e->path) == 0))
            at = e;
    }
    json_t *o = size ? json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!at)
        fault(&a, "Invalid request method and/or path: %s %s.", method, path + 1);
    else if (fake_number("fault=") == vm.requests)
        fault(&a, "Start microvm error: Internal error while starting microVM: made up%s", when());
    else if (strcmp(method, "GET") == 0 && size)
        fault(&a, "GET request cannot have a body.");
    else if (strcmp(method, "GET") != 0 && !size)
        fault(&a, "Empty %s request.", method);
    else if (size && !json_is_object(o))
        fault(&a, "%sexpected value at line 1 column 1.", serde);
    else if (!(at->when & (vm.started ? AFTER : BEFORE)))
        fault(&a, "The requested operation is not supported %s starting the microVM.",
              vm.started ? "after" : "before");
    else
        check_fields(o, at->fields, &a);
    if (a.status == 204 && at->id && strcmp(path + strlen(at->path), text_of(o, at->id)) != 0)
        fault(&a, "The id from the path does not match the id from the body!");
    if (a.status == 204)
        at->run(o, &a);
    json_decref(o);
    answer_send(&a);
}

static void api_read(void)
{
    static char in[65536];
    static size_t used;
    ssize_t n = read(vm.api, in + used, sizeof(in) - 1 - used);
    if (n <= 0) {
        close(vm.api);
        vm.api = -1;
        used = 0;
        return;
    }
    used += (size_t)n;
    in[used] = '\0';
    char *end = strstr(in, "\r\n\r\n");
    if (!end)
        return;
    char method[8], path[128];
    const char *length = strcasestr(in, "\r\nContent-Length:");
    size_t size = length && length < end ? (size_t)atoi(length + 17) : 0;
    size_t head = (size_t)(end + 4 - in);
    if (used < head + size)
        return;
    if (sscanf(in, "%7s %127s HTTP/1.1", method, path) != 2)
        _exit(3);
    serve(method, path, end + 4, size);
    memmove(in, in + head + size, used - head - size);
    used -= head + size;
}

/* --- the guest ----------------------------------------------------------------------------------
 */

static struct {
    char in[2 * AGENT_FRAME_MAX];
    size_t used;
    int cat[AGENT_CHANNELS_MAX], asleep[AGENT_CHANNELS_MAX];
} guest;

static void guest_say(enum agent_type type, uint16_t channel, const void *payload, size_t size)
{
    struct agent_head head;
    agent_encode_head(&head, type, channel, (uint32_t)size);
    (void)!write(vm.guest, &head, sizeof(head));
    (void)!write(vm.guest, payload, size);
}

static void guest_print(uint16_t channel, unsigned stream, const char *bytes, size_t size)
{
    char payload[1 + AGENT_DATA_MAX] = {(char)stream};
    memcpy(payload + 1, bytes, size);
    guest_say(AGENT_DATA, channel, payload, 1 + size);
}

static void guest_end(uint16_t channel, uint32_t status)
{
    guest.cat[channel] = guest.asleep[channel] = 0;
    guest_print(channel, 1, "", 0);
    guest_print(channel, 2, "", 0);
    guest_say(AGENT_EXITED, channel, &status, sizeof(status));
}

static void guest_start(const struct agent_frame *f)
{
    struct agent_command c;
    uint32_t pid = 100u + f->channel;
    if (agent_decode_start(f, &c) < 0)
        _exit(4);
    const char *word = c.strings, *rest = word + strlen(word) + 1;
    if (word[0] == '/') {
        char payload[16] = {ENOENT};
        strcpy(payload + 4, "exec");
        guest_say(AGENT_FAILED, f->channel, payload, 9);
        return;
    }
    guest_say(AGENT_STARTED, f->channel, &pid, sizeof(pid));
    if (strcmp(word, "cat") == 0) {
        guest.cat[f->channel] = 1;
    } else if (strcmp(word, "sleep") == 0) {
        guest.asleep[f->channel] = 1;
    } else if (strcmp(word, "exit") == 0) {
        guest_end(f->channel, (uint32_t)atoi(rest));
    } else {
        for (uint32_t i = 1; i < c.head.argc; i++, rest += strlen(rest) + 1) {
            guest_print(f->channel, 1, rest, strlen(rest));
            guest_print(f->channel, 1, i + 1 < c.head.argc ? " " : "\n", 1);
        }
        guest_end(f->channel, 0);
    }
}

static void guest_step(const struct agent_frame *f)
{
    struct agent_step_view v;
    char payload[64] = {0};
    if (agent_decode_step(f, &v) < 0)
        _exit(5);
    if (v.head.kind == AGENT_STEP_LOWER && strcmp(v.source, "vda") != 0) {
        payload[0] = ENODEV;
        snprintf(payload + 4, 40, "lower");
        guest_say(AGENT_BROKEN, 0, payload, 4 + 6);
    }
    if (v.head.kind == AGENT_STEP_END) {
        struct agent_ready ready = {.memory = 128 << 20, .hostname = "fake", .seeded = 1};
        guest_say(AGENT_READY, 0, &ready, sizeof(ready));
    }
}

static void guest_data(const struct agent_frame *f)
{
    if (f->channel >= AGENT_CHANNELS_MAX || !guest.cat[f->channel] || f->size < 1)
        return;
    struct agent_credit credit = {.bytes = f->size - 1, .stream = 0};
    if (f->size == 1) {
        guest_end(f->channel, 0);
        return;
    }
    guest_print(f->channel, 1, f->payload + 1, f->size - 1);
    guest_say(AGENT_CREDIT, f->channel, &credit, sizeof(credit));
}

static void guest_frame(const struct agent_frame *f)
{
    uint32_t number = 0;
    switch ((int)f->type) {
    case AGENT_STEP:
        guest_step(f);
        break;
    case AGENT_START:
        guest_start(f);
        break;
    case AGENT_DATA:
        guest_data(f);
        break;
    case AGENT_SIGNAL:
        memcpy(&number, f->payload, sizeof(number));
        if (f->channel < AGENT_CHANNELS_MAX && (guest.asleep[f->channel] || guest.cat[f->channel]))
            guest_end(f->channel, 128 + number);
        break;
    case AGENT_SHUTDOWN:
        _exit(0);
    }
}

static void guest_read(void)
{
    ssize_t n = read(vm.guest, guest.in + guest.used, sizeof(guest.in) - guest.used);
    if (n <= 0)
        _exit(0);
    guest.used += (size_t)n;
    for (;;) {
        struct agent_frame f;
        long size = agent_decode(guest.in, guest.used, &f);
        if (size < 0)
            _exit(6);
        if (size == 0)
            return;
        guest_frame(&f);
        memmove(guest.in, guest.in + size, guest.used - (size_t)size);
        guest.used -= (size_t)size;
    }
}

static void guest_greet(int fd)
{
    uint32_t hello[2] = {AGENT_VERSION, 0};
    vm.guest = fd;
    guest_say(AGENT_HELLO, 0, hello, sizeof(hello));
}

/* As a guest's connection to port 1024 of the host arrives: at PATH_1024. */
static void guest_begin(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static const char line[] = "[    0.000000] Linux version 0.0.0-made-up\n";
    (void)!write(1, line, sizeof(line) - 1);
    if (fake_number("mute="))
        return;
    snprintf(address.sun_path, sizeof(address.sun_path), "%.90s_1024", vm.vsock);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        guest_greet(fd);
    else
        close(fd);
}

/* "CONNECT 1024\n" is answered with "OK PORT\n"; anything else is hung up on. */
static void home_accept(void)
{
    char line[32];
    int fd = accept4(vm.home, NULL, NULL, SOCK_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    line[n > 0 ? n : 0] = '\0';
    if (vm.guest >= 0 || !vm.started || strcmp(line, "CONNECT 1024\n") != 0) {
        close(fd);
        return;
    }
    (void)!write(fd, "OK 1073741824\n", 14);
    guest_greet(fd);
}

/* --- the program --------------------------------------------------------------------------------
 */

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
        } else {
            fprintf(stderr, "Error: ParseArguments(UnexpectedArgument(\"%s\"))\n", argv[i]);
            exit(153);
        }
    }
    return socket_path;
}

int main(int argc, char **argv)
{
    const char *path = arguments(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    vm.listen = listen_at(path);
    if (vm.listen < 0) {
        fprintf(stderr, "Error: RunWithApi(FailedToBindAndRunHttpServer(IOError(%s)))\n",
                os_error(vm.listen));
        return 1;
    }
    for (;;) {
        struct pollfd p[] = {
            {.fd = vm.api >= 0 ? vm.api : vm.listen, .events = POLLIN},
            {.fd = vm.paused ? -1 : vm.guest,        .events = POLLIN},
            {.fd = vm.home,                          .events = POLLIN}
        };
        if (poll(p, 3, -1) < 0)
            continue;
        if (p[0].revents && vm.api >= 0)
            api_read();
        else if (p[0].revents)
            vm.api = accept4(vm.listen, NULL, NULL, SOCK_CLOEXEC);
        if (p[1].revents && !vm.paused)
            guest_read();
        if (p[2].revents)
            home_accept();
    }
}
