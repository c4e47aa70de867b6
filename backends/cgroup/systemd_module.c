#include "backends/cgroup/systemd_module.h"

#include "base/loop.h"
#include "base/str.h"

#include <stdio.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

struct scope_job {
    char path[256];
    char result[32]; /* empty: not yet */
};

/* Straight to the manager, without a bus in between, as systemctl does it. */
static int bus_open_private(const char *runtime_dir, sd_bus **ret)
{
    sd_bus *bus = NULL;
    autobuf path = {0};
    autobuf address = {0};
    buf_printf(&path, "%s/systemd/private", runtime_dir);
    buf_puts(&address, "unix:path=");
    for (const char *p = path.data; *p; p++) {
        if (strchr("-/_.", *p) || (*p >= '0' && *p <= '9') ||
            ((*p | 32) >= 'a' && (*p | 32) <= 'z'))
            buf_putc(&address, *p);
        else
            buf_printf(&address, "%%%02x", (unsigned char)*p);
    }
    if (access(path.data, W_OK) < 0)
        return -errno;
    int r = sd_bus_new(&bus);
    if (r >= 0)
        r = sd_bus_set_address(bus, address.data);
    if (r >= 0)
        r = sd_bus_start(bus);
    if (r < 0) {
        sd_bus_unref(bus);
        return r;
    }
    *ret = bus;
    return 0;
}

static int bus_open_user(sd_bus **ret)
{
    char standard[32];
    const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
    snprintf(standard, sizeof(standard), "/run/user/%u", (unsigned)getuid());
    int r = runtime_dir && *runtime_dir == '/' ? bus_open_private(runtime_dir, ret) : -ENOENT;
    if (r < 0)
        r = bus_open_private(standard, ret);
    return r < 0 ? sd_bus_open_user(ret) : r;
}

static int bus_open_system(sd_bus **ret)
{
    int r = bus_open_private("/run", ret);
    return r < 0 ? sd_bus_open_system(ret) : r;
}

static const char *manager_name(enum systemd_manager manager)
{
    switch (manager) {
    case SYSTEMD_OF_USER:
        return "the user's service manager";
    case SYSTEMD_OF_SYSTEM:
        break;
    }
    return "the service manager";
}

static int bus_open(enum systemd_manager manager, unsigned timeout_ms, sd_bus **ret,
                    struct error *e)
{
    int r = manager == SYSTEMD_OF_USER ? bus_open_user(ret) : bus_open_system(ret);
    if (r < 0)
        return error_errno(e, -r, "%s does not answer", manager_name(manager));
    sd_bus_set_method_call_timeout(*ret, (uint64_t)timeout_ms * 1000);
    return 0;
}

static int job_removed(sd_bus_message *m, void *data, sd_bus_error *ret_error)
{
    struct scope_job *job = data;
    uint32_t id;
    const char *path, *unit, *result;
    if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0)
        return 0;
    if (strcmp(path, job->path) == 0)
        snprintf(job->result, sizeof(job->result), "%s", result);
    return 0;
}

static int scope_ask(sd_bus *bus, const char *name, const char *description, pid_t pid,
                     struct scope_job *job, sd_bus_error *error)
{
    sd_bus_message *reply = NULL;
    /* No limits on the scope itself: the workload's own control group in it has them. */
    int r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                               "StartTransientUnit", error, &reply, "ssa(sv)a(sa(sv))", name,
                               "fail", 5, "Description", "s", description, "Delegate", "b", 1,
                               "PIDs", "au", 1, (uint32_t)pid, "CollectMode", "s",
                               "inactive-or-failed", "TasksMax", "t", UINT64_MAX, 0);
    const char *path = NULL;
    if (r >= 0)
        r = sd_bus_message_read(reply, "o", &path);
    if (r >= 0)
        snprintf(job->path, sizeof(job->path), "%s", path);
    sd_bus_message_unref(reply);
    return r;
}

static int scope_wait(sd_bus *bus, const struct scope_job *job, unsigned timeout_ms)
{
    uint64_t end = loop_now_ms() + timeout_ms;
    while (!job->result[0]) {
        int r = sd_bus_process(bus, NULL);
        if (r < 0)
            return r;
        if (r > 0)
            continue;
        uint64_t now = loop_now_ms();
        if (now >= end)
            return -ETIMEDOUT;
        r = sd_bus_wait(bus, (end - now) * 1000);
        if (r < 0 && r != -EINTR)
            return r;
    }
    return strcmp(job->result, "done") == 0 ? 0 : -ECANCELED;
}

static int start_scope(enum systemd_manager manager, const char *name, const char *description,
                       pid_t pid, unsigned timeout_ms, struct error *e)
{
    sd_bus *bus = NULL;
    struct scope_job job = {0};
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = bus_open(manager, timeout_ms, &bus, e);
    if (r < 0)
        return r;
    /* The answer to the call and the signal may come in one go: the match stands before both. */
    r = sd_bus_match_signal(bus, NULL, NULL, SYSTEMD_PATH, SYSTEMD_MANAGER, "JobRemoved",
                            job_removed, &job);
    if (r >= 0)
        r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe",
                               &error, NULL, NULL);
    if (r >= 0)
        r = scope_ask(bus, name, description, pid, &job, &error);
    if (r >= 0)
        r = scope_wait(bus, &job, timeout_ms);
    if (r < 0) {
        autofree char *said = str_escape_z(error.message ? error.message : strerror(-r));
        error_set(e, -r, "%s made no scope %s: %s", manager_name(manager), name, said);
    }
    sd_bus_error_free(&error);
    sd_bus_flush_close_unref(bus);
    return r < 0 ? r : 0;
}

static int ping(enum systemd_manager manager, unsigned timeout_ms, struct error *e)
{
    sd_bus *bus = NULL;
    int r = bus_open(manager, timeout_ms, &bus, e);
    if (r < 0)
        return r;
    r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, "org.freedesktop.DBus.Peer", "Ping",
                           NULL, NULL, NULL);
    sd_bus_flush_close_unref(bus);
    return r < 0 ? error_errno(e, -r, "%s does not answer", manager_name(manager)) : 0;
}

__attribute__((visibility("default"))) extern const struct systemd_module systemd_module;
const struct systemd_module systemd_module = {
    .start_scope = start_scope,
    .ping = ping,
};
