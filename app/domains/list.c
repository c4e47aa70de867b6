/* What the CLI asks for: whether libvirt answers, which domains there are, and one thing with one.
 */
#include "app/domains/domains.h"

#include "backends/libvirt/domain_xml.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/str.h"

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LIST_MS = 2000,
    LIST_MOST = 64,
    CONTROL_S = 10,
    CONTROL_START_S = 120,
    CONTROL_WORK_S = 1800
};
#define LIST_FIGURE_MOST ((uint64_t)1 << 52)

static int list_fail(const struct error *e)
{
    fprintf(stderr, "%s\n", e->text);
    return 1;
}

int domains_probe(const char *uri)
{
    struct error e;
    unsigned long libvirt = 0, qemu = 0;
    virConnectPtr c = domains_connect(uri, &e);
    if (!c)
        return list_fail(&e);
    virConnectGetLibVersion(c, &libvirt);
    virConnectGetVersion(c, &qemu);
    printf("libvirt %lu.%lu.%lu, %s %lu.%lu.%lu\n", libvirt / 1000000, libvirt / 1000 % 1000,
           libvirt % 1000, virConnectGetType(c), qemu / 1000000, qemu / 1000 % 1000, qemu % 1000);
    virConnectClose(c);
    return 0;
}

static const char *list_state(int state)
{
    static const char *const names[] = {
        [VIR_DOMAIN_NOSTATE] = "running",   [VIR_DOMAIN_RUNNING] = "running",
        [VIR_DOMAIN_BLOCKED] = "running",   [VIR_DOMAIN_PAUSED] = "paused",
        [VIR_DOMAIN_SHUTDOWN] = "stopping", [VIR_DOMAIN_SHUTOFF] = "off",
        [VIR_DOMAIN_CRASHED] = "crashed",   [VIR_DOMAIN_PMSUSPENDED] = "suspended",
    };
    return state >= 0 && state < (int)ARRAY_SIZE(names) ? names[state] : "unknown";
}

/* Bounded: a daemon elsewhere says what it likes, and somebody takes one from another. */
static json_int_t list_figure(uint64_t n)
{
    return (json_int_t)MIN(n, LIST_FIGURE_MOST);
}

static json_t *list_one(virDomainPtr d, int state, uint64_t cpu_us, uint64_t kib)
{
    char uuid[VIR_UUID_STRING_BUFLEN] = "";
    virDomainGetUUIDString(d, uuid);
    autofree char *name = str_escape_z(virDomainGetName(d));
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "name", name, "uuid", uuid, "state",
                     list_state(state), "cpu_us", list_figure(cpu_us), "memory",
                     list_figure(kib) * 1024, "ours", domains_are_ours(uuid));
}

/* --- the state of each: what the daemon knows by itself, so that no QEMU is asked
 * ----------------- */

static void list_flag(virConnectPtr c, json_t *list, unsigned flag, const char *name)
{
    virDomainPtr *of = NULL;
    size_t i;
    json_t *one;
    int count = virConnectListAllDomains(c, &of, flag);
    json_t *has = json_object();
    for (int k = 0; k < count; k++) {
        char uuid[VIR_UUID_STRING_BUFLEN] = "";
        virDomainGetUUIDString(of[k], uuid);
        json_object_set_new(has, uuid, json_true());
        virDomainFree(of[k]);
    }
    free(of);
    json_array_foreach(list, i, one)
    {
        const char *uuid = json_string_value(json_object_get(one, "uuid"));
        json_object_set_new(one, name, json_boolean(json_object_get(has, uuid)));
    }
    json_decref(has);
}

static json_t *list_states(virConnectPtr c)
{
    virDomainPtr *of = NULL;
    int count = virConnectListAllDomains(c, &of, 0);
    if (count < 0)
        return NULL;
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        virDomainInfo info;
        if (virDomainGetInfo(of[i], &info) == 0) /* else it has just ended */
            json_array_append_new(list,
                                  list_one(of[i], info.state, info.cpuTime / 1000, info.memory));
        virDomainFree(of[i]);
    }
    free(of);
    list_flag(c, list, VIR_CONNECT_LIST_DOMAINS_AUTOSTART, "autostart");
    list_flag(c, list, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE, "saved");
    return list;
}

json_t *domains_others(virConnectPtr c)
{
    json_t *list = list_states(c);
    for (size_t i = list ? json_array_size(list) : 0; i-- > 0;)
        if (json_is_true(json_object_get(json_array_get(list, i), "ours")))
            json_array_remove(list, i);
    return list;
}

/* --- the figures of each: one call
 * ---------------------------------------------------------------- */

static uint64_t list_number(virDomainStatsRecordPtr r, const char *name)
{
    unsigned long long n = 0;
    virTypedParamsGetULLong(r->params, r->nparams, name, &n);
    return n;
}

static json_t *list_figures(virConnectPtr c)
{
    const unsigned what = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL |
                          VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_BLOCK;
    virDomainStatsRecordPtr *of = NULL;
    int count = virConnectGetAllDomainStats(c, what, &of, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
    if (count < 0)
        return NULL;
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        int state = 0;
        virTypedParamsGetInt(of[i]->params, of[i]->nparams, "state.state", &state);
        json_t *one = list_one(of[i]->dom, state, list_number(of[i], "cpu.time") / 1000,
                               list_number(of[i], "balloon.current"));
        json_object_set_new(one, "io_read",
                            json_integer(list_figure(domains_blocks(of[i], "rd.bytes"))));
        json_object_set_new(one, "io_write",
                            json_integer(list_figure(domains_blocks(of[i], "wr.bytes"))));
        json_array_append_new(list, one);
    }
    virDomainStatsRecordListFree(of);
    return list;
}

static json_t *list_domains(const char *uri, bool figures, struct error *e)
{
    virConnectPtr c = domains_connect(uri, e);
    if (!c)
        return NULL;
    json_t *list = figures ? list_figures(c) : list_states(c);
    if (!list)
        domains_error(e, uri);
    virConnectClose(c);
    return list;
}

static json_t *list_answer(const char *uri, bool figures, struct error *e)
{
    json_t *list = list_domains(uri, figures, e);
    size_t named = str_starts(e->text, uri) ? strlen(uri) + 2 : 0; /* "URI: …" */
    return list ? json_pack("{s:s, s:o}", "uri", uri, "domains", list)
                : json_pack("{s:s, s:s}", "uri", uri, "why", e->text + named);
}

/* --- several at once: each in a process of its own, so that one that hangs holds up no other ----
 */

struct list_child {
    pid_t pid;
    int fd; /* owned */
    struct buf said;
};

/* Should whoever started it be gone: it and what libvirt has started for it. */
static void list_end_session(void)
{
    kill(0, SIGKILL);
}

/* And the ssh that goes to another host, which outlives a child that is killed alone. */
static void list_end(const struct list_child *child)
{
    kill(-child->pid, SIGKILL);
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void list_begin(struct list_child *child, const char *uri, bool figures)
{
    int pair[2];
    if (fd_pipe(pair, 0) < 0)
        return;
    child->pid = fork();
    if (child->pid == 0) {
        struct error e = {0};
        if (setsid() >= 0) /* also away from the terminal, on which an ssh would ask */
            domains_limit(LIST_MS / 1000 + 1, list_end_session);
        json_t *j = list_answer(uri, figures, &e);
        _exit(json_dumpfd(j, pair[1], JSON_COMPACT) < 0);
    }
    fd_close(pair[1]);
    child->fd = pair[0];
}

/* Reads what they say for so long; then they are ended. */
static void list_hear(struct list_child *of, size_t count)
{
    uint64_t until = loop_now_ms() + LIST_MS;
    struct pollfd p[LIST_MOST];
    for (;;) {
        size_t left = 0;
        uint64_t now = loop_now_ms();
        for (size_t i = 0; i < count; i++) {
            p[i] = (struct pollfd){.fd = of[i].fd, .events = POLLIN};
            left += of[i].fd >= 0;
        }
        if (!left || now >= until)
            return;
        if (poll(p, count, (int)(until - now)) < 0 && errno != EINTR)
            return;
        for (size_t i = 0; i < count; i++) {
            char piece[65536];
            ssize_t n = p[i].revents ? read(of[i].fd, piece, sizeof(piece)) : -1;
            if (n > 0)
                buf_add(&of[i].said, piece, (size_t)n);
            else if (p[i].revents)
                of[i].fd = fd_close(of[i].fd);
        }
    }
}

/* --- one alone: nobody else is held up, and a process is saved ----------------------------------
 */

static const char *list_alone; /* whom it is asked */

static json_t *list_hung(const char *uri, bool hangs)
{
    return json_pack("{s:s, s:s, s:b}", "uri", uri, "why",
                     hangs ? "its daemon hangs" : "its daemon refuses", "hangs", hangs);
}

static int list_print(json_t *all)
{
    json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
    return 0;
}

/* Nothing but plain writing: it comes in the midst of anything. */
static void list_alone_hangs(void)
{
    static const char *const parts[] = {"[{\"uri\":\"", NULL,
                                        "\",\"why\":\"its daemon hangs\",\"hangs\":true}]\n"};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        const char *part = parts[i] ? parts[i] : list_alone;
        fd_write_full(STDOUT_FILENO, part, strlen(part));
    }
    _exit(0);
}

/* Of this host, and as it is in JSON: with others an ssh might have to be ended. */
static bool list_may_be_alone(const char *uri)
{
    for (const char *at = uri; *at; at++)
        if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\')
            return false;
    return str_starts(uri, "qemu:///") || str_starts(uri, "qemu+unix:///");
}

static int list_one_place(const char *uri, bool figures)
{
    struct error e = {0};
    list_alone = uri;
    domains_limit(LIST_MS / 1000, list_alone_hangs);
    json_t *answer = list_answer(uri, figures, &e);
    domains_limit(0, NULL);
    list_print(json_pack("[o]", answer));
    fflush(stdout);
    fd_close(STDOUT_FILENO); /* whoever listens goes on while this process is taken apart */
    fd_close(STDERR_FILENO);
    _exit(0); /* nothing here has to be taken apart */
}

int domains_list(char *const *uris, bool figures)
{
    if (strv_length(uris) == 1 && list_may_be_alone(uris[0]))
        return list_one_place(uris[0], figures);
    struct list_child of[LIST_MOST];
    size_t count = MIN(strv_length(uris), (size_t)LIST_MOST);
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        of[i] = (struct list_child){.fd = FD_NONE};
        list_begin(&of[i], uris[i], figures);
    }
    list_hear(of, count);
    for (size_t i = 0; i < count; i++) {
        bool hangs = of[i].fd >= 0;
        if (of[i].pid > 0)
            list_end(&of[i]);
        fd_close(of[i].fd);
        autofree char *said = buf_take(&of[i].said);
        json_t *j = hangs ? NULL : json_loads(said, 0, NULL);
        if (!j)
            j = list_hung(uris[i], hangs);
        json_array_append_new(all, j);
    }
    return list_print(all);
}

static int control_start(virDomainPtr d)
{
    return virDomainCreate(d);
}

/* Its memory may have to be read. */
static unsigned control_start_s(virDomainPtr d)
{
    return virDomainHasManagedSaveImage(d, 0) == 1 ? CONTROL_WORK_S : CONTROL_START_S;
}

static int control_reset(virDomainPtr d)
{
    return virDomainReset(d, 0);
}

static int control_save(virDomainPtr d)
{
    return virDomainManagedSave(d, 0);
}

static int control_forget_save(virDomainPtr d)
{
    return virDomainManagedSaveRemove(d, 0);
}

static int control_autostart(virDomainPtr d)
{
    return virDomainSetAutostart(d, 1);
}

static int control_no_autostart(virDomainPtr d)
{
    return virDomainSetAutostart(d, 0);
}

int domains_control(const char *uri, const char *word, const char *verb)
{
    static const struct {
        const char *verb;
        int (*call)(virDomainPtr d);
        unsigned seconds; /* its memory may have to be written; 0: it is asked */
    } rows[] = {
        {"stop",         virDomainShutdown,    CONTROL_S     },
        {"kill",         virDomainDestroy,     CONTROL_S     },
        {"pause",        virDomainSuspend,     CONTROL_S     },
        {"resume",       virDomainResume,      CONTROL_S     },
        {"start",        control_start,        0             },
        {"reset",        control_reset,        CONTROL_S     },
        {"save",         control_save,         CONTROL_WORK_S},
        {"forget-save",  control_forget_save,  CONTROL_S     },
        {"autostart",    control_autostart,    CONTROL_S     },
        {"no-autostart", control_no_autostart, CONTROL_S     },
    };
    struct error e;
    domains_limit(CONTROL_S, NULL);
    virConnectPtr c = domains_connect(uri, &e);
    virDomainPtr d = c ? domains_lookup_others(c, word, &e) : NULL;
    int r = d ? 0 : -e.code;
    for (size_t i = 0; d && i < ARRAY_SIZE(rows); i++) {
        if (!str_equal(rows[i].verb, verb))
            continue;
        domains_limit(rows[i].seconds ? rows[i].seconds : control_start_s(d), NULL);
        r = rows[i].call(d) < 0 ? domains_error(&e, verb) : 0;
    }
    if (d)
        virDomainFree(d);
    if (c)
        virConnectClose(c);
    return r < 0 ? list_fail(&e) : 0;
}
