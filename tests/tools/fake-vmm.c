/* What the stand-ins for machines' programs share (fake-vmm.h). */
#include "tests/tools/fake-vmm.h"

#include "init/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct fake_vm vm = {.listen = -1, .api = -1, .home = -1, .guest = -1, .metrics = -1};

unsigned fake_number(const char *name)
{
    const char *at = strstr((const char *)fake_settings, name);
    return at ? (unsigned)atoi(at + strlen(name)) : 0;
}

const char *fake_version(char to[16])
{
    sscanf((const char *)fake_settings, "FAKE version=%15[^ ;]", to);
    return to;
}

void fault_with(struct answer *a, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    a->status = status;
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

/* One of the fields of `fields`, or of what they hold; at most one fault. */
void check_fields(const json_t *body, const struct field *fields, struct answer *a)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)body, key, value)
    {
        const struct field *f = fields;
        while (f->name && strcmp(f->name, key) != 0)
            f++;
        if (!f->name || f->since > fake_vmm.version()) {
            fault(a, "%sunknown field `%s`, expected `%s` at line 1 column 1.", fake_vmm.serde, key,
                  fields[0].name ? fields[0].name : "none");
            return;
        }
        if (!type_fits(value, f->type)) {
            fault(a, "%sinvalid type: for `%s` at line 1 column 1.", fake_vmm.serde, key);
            return;
        }
        size_t i;
        json_t *one;
        if (f->inside && f->type == OBJECT)
            check_fields(value, f->inside, a);
        else if (f->inside)
            json_array_foreach(value, i, one) check_fields(one, f->inside, a);
        if (a->status >= 400)
            return;
    }
    for (const struct field *f = fields; f->name; f++)
        if (f->needed && !json_object_get(body, f->name)) {
            fault(a, "%smissing field `%s` at line 1 column 1.", fake_vmm.serde, f->name);
            return;
        }
}

const char *text_of(const json_t *body, const char *name)
{
    return json_string_value(json_object_get(body, name));
}

int can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

const char *os_error(int r)
{
    static char text[128];
    snprintf(text, sizeof(text), "%s (os error %d)", strerror(-r), -r);
    return text;
}

int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0)
        return -errno;
    return fd;
}

/* A device of vsock: what a host calls is at its socket. */
int vsock_open(const char *path)
{
    snprintf(vm.vsock, sizeof(vm.vsock), "%s", path);
    return vm.home = listen_at(path);
}

/* The kernel is there and what `mark` says; 0 or -errno. */
int kernel_begins(const char *path, const char *mark, size_t size)
{
    char bytes[16] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, bytes, sizeof(bytes));
    close(fd);
    return n >= (ssize_t)size && memcmp(bytes, mark, size) == 0 ? 0 : -ENOEXEC;
}

/* As it is opened where guests run for true; 0 or -errno. */
int kvm_open(void)
{
    int fd = fake_number("kvm=") ? open("/dev/kvm", O_RDWR | O_CLOEXEC) : 0;
    return fd < 0 ? -errno : 0;
}

/* --- HTTP ---------------------------------------------------------------------------------------
 */

static void answer_send(const struct answer *a)
{
    char head[256];
    json_t *o = a->status >= 400 ? fake_vmm.fault_body(a->text) : NULL;
    char *body = o ? json_dumps(o, JSON_COMPACT) : strdup(a->text);
    int n = a->status == 204
                ? snprintf(head, sizeof(head),
                           "HTTP/1.1 204 \r\nServer: %s\r\nConnection: keep-alive\r\n\r\n",
                           fake_vmm.server)
                : snprintf(head, sizeof(head),
                           "HTTP/1.1 %d \r\nServer: %s\r\nConnection: keep-alive\r\n"
                           "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                           a->status, fake_vmm.server, strlen(body));
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

static const struct endpoint *endpoint_of(const char *method, const char *path)
{
    for (const struct endpoint *e = fake_vmm.endpoints; e->method; e++) {
        size_t length = strlen(e->path);
        if (strcmp(e->method, method) == 0 &&
            (e->id ? strncmp(path, e->path, length) == 0 : strcmp(path, e->path) == 0))
            return e;
    }
    return NULL;
}

static void serve(const char *method, const char *path, const char *body, size_t size)
{
    struct answer a = {.status = 204};
    const struct endpoint *at = endpoint_of(method, path);
    bool wants = at && at->fields && strcmp(method, "GET") != 0;
    vm.requests++;
    if (fake_number("die=") == vm.requests)
        _exit(1);
    json_t *o = size ? json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!at)
        fake_vmm.no_such(&a, method, path);
    else if (fake_number("fault=") == vm.requests)
        fault(&a, "%smade up%s", fake_vmm.made_up, when());
    else if (!wants && size)
        fault(&a, "%s request cannot have a body.", method);
    else if (wants && !size)
        fault(&a, "Empty %s request.", method);
    else if (size && !json_is_object(o))
        fault(&a, "%sexpected value at line 1 column 1.", fake_vmm.serde);
    else if (!(at->when & vm.state))
        fake_vmm.not_now(&a, at);
    else if (wants)
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
} wire;

/* All that a snapshot of it has to hold. */
static struct guest {
    char mark[8];
    char tap[16];
    char vsock[108];
    size_t memory;
    unsigned changes; /* so often it was written down as what had changed */
    int cat[AGENT_CHANNELS_MAX], asleep[AGENT_CHANNELS_MAX];
    int terminal; /* main's */
    struct agent_ready ready;
} guest = {
    .mark = "FAKED 1", .ready = {.memory = 128 << 20, .hostname = "fake"}
};

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
    if (f->channel == 0)
        guest.terminal = (c.head.flags & AGENT_START_TERMINAL) != 0;
    guest_say(AGENT_STARTED, f->channel, &pid, sizeof(pid));
    if (strcmp(word, "cat") == 0) {
        guest.cat[f->channel] = 1;
    } else if (strcmp(word, "sleep") == 0) {
        guest.asleep[f->channel] = 1;
    } else if (strcmp(word, "ask") == 0) {
        char text[64];
        tap_ask(rest, text, sizeof(text) - 1);
        strcat(text, "\n");
        guest_print(f->channel, 1, text, strlen(text));
        guest_end(f->channel, 0);
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

/* Its disks, in their order, by their serial numbers ("": one nobody has said). */
static char disks[16][24];
static size_t disks_count;

void guest_has_disk(const char *serial)
{
    if (disks_count < sizeof(disks) / sizeof(disks[0]))
        snprintf(disks[disks_count++], sizeof(disks[0]), "%s", serial ? serial : "");
}

static bool guest_sees(const char *source)
{
    size_t at = 0;
    if (strncmp(source, "block:vd", 8) == 0)
        return source[8] >= 'a' && (size_t)(source[8] - 'a') < disks_count;
    if (strncmp(source, "serial:", 7) != 0)
        return true; /* no disk */
    while (at < disks_count && strcmp(disks[at], source + 7) != 0)
        at++;
    return at < disks_count;
}

static void guest_step(const struct agent_frame *f)
{
    struct agent_step_view v;
    char payload[64] = {0};
    if (agent_decode_step(f, &v) < 0)
        _exit(5);
    bool serial =
        strncmp(fake_vmm.scratch, "serial:", 7) == 0 && strcmp(v.source, "serial:root") == 0;
    if (v.head.kind == AGENT_STEP_LOWER && !serial && strcmp(v.source, fake_vmm.root) != 0) {
        payload[0] = ENODEV;
        snprintf(payload + 4, 40, "lower");
        guest_say(AGENT_BROKEN, 0, payload, 4 + 6);
    }
    if (v.head.kind == AGENT_STEP_UPPER && *v.source && strcmp(v.source, fake_vmm.scratch) != 0) {
        payload[0] = ENODEV;
        snprintf(payload + 4, 40, "upper");
        guest_say(AGENT_BROKEN, 0, payload, 4 + 6);
    }
    if (v.head.kind == AGENT_STEP_DEVICE && !guest_sees(v.source)) {
        payload[0] = ENODEV;
        snprintf(payload + 4, 40, "%s", v.source);
        guest_say(AGENT_BROKEN, 0, payload, 4 + 1 + strnlen(v.source, 39));
    }
    if (v.head.kind == AGENT_STEP_HOSTNAME)
        snprintf(guest.ready.hostname, sizeof(guest.ready.hostname), "%.60s", v.source);
    if (v.head.kind == AGENT_STEP_MAC)
        snprintf(guest.ready.mac, sizeof(guest.ready.mac), "%.17s", v.source);
    if (v.head.kind == AGENT_STEP_CLOCK)
        guest.ready.realtime_ns = v.head.number;
    if (v.head.kind == AGENT_STEP_SEED)
        guest.ready.seeded++;
    if (v.head.kind == AGENT_STEP_FILE && strcmp(v.target, "/etc/machine-id") == 0)
        snprintf(guest.ready.machine_id, sizeof(guest.ready.machine_id), "%.32s", v.data);
    if (v.head.kind == AGENT_STEP_END)
        guest_say(AGENT_READY, 0, &guest.ready, sizeof(guest.ready));
}

static void guest_hello(void)
{
    uint32_t hello[2] = {AGENT_VERSION, 0};
    guest_say(AGENT_HELLO, 0, hello, sizeof(hello));
}

static void guest_quiesce(const struct agent_frame *f)
{
    static const char well[5];
    struct agent_running running = {
        .pid = 100, .flags = guest.terminal ? AGENT_START_TERMINAL : 0, .room_in = AGENT_WINDOW};
    vm.quiet = f->size == 1 && f->payload[0] == AGENT_QUIESCE_ON;
    if (f->size == 1 && f->payload[0] == AGENT_QUIESCE_ADOPT) {
        guest_hello();
        if (guest.asleep[0] || guest.cat[0])
            guest_say(AGENT_RUNNING, 0, &running, sizeof(running));
        guest.ready.seeded = 0;
    }
    guest_say(AGENT_QUIET, 0, well, sizeof(well));
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
    case AGENT_SAMPLE: { /* it boasts */
        struct agent_sample sample;
        memset(&sample, 0xfe, sizeof(sample));
        guest_say(AGENT_SAMPLED, 0, &sample, sizeof(sample));
        break;
    }
    case AGENT_QUIESCE:
        guest_quiesce(f);
        break;
    case AGENT_CHANGES: /* none */
        guest_say(AGENT_COPIED, f->channel, "\0\0\0\0", 5);
        break;
    case AGENT_PING:
        guest_say(AGENT_PONG, f->channel, NULL, 0);
        break;
    case AGENT_SHUTDOWN:
        _exit(0);
    }
}

static void guest_read(void)
{
    ssize_t n = read(vm.guest, wire.in + wire.used, sizeof(wire.in) - wire.used);
    if (vm.cut || (n <= 0 && vm.quiet)) { /* whatever is said there, nobody hears it any more */
        close(vm.guest);
        vm.guest = -1;
        return;
    }
    if (n <= 0)
        _exit(0);
    wire.used += (size_t)n;
    for (;;) {
        struct agent_frame f;
        long size = agent_decode(wire.in, wire.used, &f);
        if (size < 0)
            _exit(6);
        if (size == 0)
            return;
        guest_frame(&f);
        memmove(wire.in, wire.in + size, wire.used - (size_t)size);
        wire.used -= (size_t)size;
    }
}

/* What never changes is in the middle, what always does a quarter before that. */
static bool guest_write(int fd, bool changes)
{
    guest.changes += changes;
    return (changes || pwrite(fd, guest.mark, 8, (off_t)guest.memory / 2) == 8) &&
           pwrite(fd, &guest.changes, sizeof(guest.changes),
                  (off_t)guest.memory / 4 + (vm.astray ? 4096 : 0)) == sizeof(guest.changes);
}

static bool guest_stands(int fd, const struct guest *g)
{
    char mark[8];
    unsigned changes;
    return pread(fd, mark, 8, (off_t)g->memory / 2) == 8 && memcmp(mark, g->mark, 8) == 0 &&
           pread(fd, &changes, sizeof(changes), (off_t)g->memory / 4) == sizeof(changes) &&
           changes == g->changes;
}

int guest_save(const char *state, const char *memory, size_t size, bool changes)
{
    int s = open(state, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int m = open(memory, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    guest.memory = size;
    snprintf(guest.vsock, sizeof(guest.vsock), "%s", vm.vsock);
    snprintf(guest.tap, sizeof(guest.tap), "%s", vm.tap);
    bool good = s >= 0 && m >= 0 && ftruncate(m, (off_t)size) == 0 && fsync(m) == 0 &&
                guest_write(m, changes) && write(s, &guest, sizeof(guest)) == sizeof(guest);
    int r = good ? 0 : -errno;
    close(s);
    close(m);
    vm.cut = 1;
    return r;
}

int guest_load(const char *state, const char *memory)
{
    struct guest g;
    struct stat st;
    int s = open(state, O_RDONLY | O_CLOEXEC), m = open(memory, O_RDONLY | O_CLOEXEC);
    if (s < 0 || m < 0)
        return -errno;
    bool good = read(s, &g, sizeof(g)) == sizeof(g) && memcmp(g.mark, guest.mark, 8) == 0 &&
                fstat(m, &st) == 0 && (size_t)st.st_size == g.memory && guest_stands(m, &g);
    close(s);
    close(m);
    if (!good)
        return -EBADMSG;
    guest = g;
    vm.cut = vm.quiet = 1;
    if (!*vm.tap)
        snprintf(vm.tap, sizeof(vm.tap), "%s", g.tap);
    int card = *vm.tap ? tap_open(vm.tap) : 0;
    return card < 0 ? card : vsock_open(g.vsock) < 0 ? vm.home : 0;
}

size_t guest_memory(void)
{
    return guest.memory;
}

size_t guest_size(void)
{
    return sizeof(guest);
}

void guest_prints_balloon(size_t mib)
{
    dprintf(1, "balloon: %zu MiB given up\n", mib);
}

static void guest_greet(int fd)
{
    vm.guest = fd;
    guest_hello();
}

/* As a guest's connection to port 1024 of the host arrives: at PATH_1024. */
void guest_begin(void)
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
    bool again = vm.cut || vm.quiet;
    if ((vm.guest >= 0 && !again) || vm.state != STARTED || strcmp(line, "CONNECT 1024\n") != 0) {
        close(fd);
        return;
    }
    (void)!write(fd, "OK 1073741824\n", 14);
    if (!again) {
        guest_greet(fd);
        return;
    }
    close(vm.guest);
    vm.guest = fd;
    vm.cut = 0;
    wire.used = 0;
}

/* --- the program --------------------------------------------------------------------------------
 */

int fake_main(const char *path)
{
    signal(SIGPIPE, SIG_IGN);
    vm.listen = listen_at(path);
    if (vm.listen < 0)
        return -vm.listen;
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
