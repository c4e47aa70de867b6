/* What the CLI and the TUI see of libvirt: whether it answers here. */
#include "backends/libvirt/libvirt.h"

#include "base/fd.h"
#include "base/module.h"
#include "base/spawn.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LIBVIRT_PROBE_MS = 15000, LIBVIRT_SAID = 4096 };

char **libvirt_client_env(char *const *env)
{
    static const char *const wanted[] = {"HOME=",
                                         "XDG_RUNTIME_DIR=",
                                         "XDG_CONFIG_HOME=",
                                         "XDG_CACHE_HOME=",
                                         "SSH_AUTH_SOCK=",
                                         "USER=",
                                         "DBUS_SESSION_BUS_ADDRESS=",
                                         "LIBVIRT_AUTOSTART="};
    char **list = NULL;
    strv_add(&list, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    for (size_t i = 0; env && env[i]; i++)
        for (size_t k = 0; k < ARRAY_SIZE(wanted); k++)
            if (str_starts(env[i], wanted[k]))
                strv_add(&list, env[i]);
    return list;
}

const char *libvirt_default_uri(uint32_t uid)
{
    return uid == 0 ? "qemu:///system" : "qemu:///session";
}

bool libvirt_runs_as_another(const char *uri, uint32_t uid)
{
    autofree char *path = str_ndup(uri, strcspn(uri, "?"));
    return uid == 0 && str_ends(path, "/system");
}

static const char *libvirt_mend(const struct plan_host *host)
{
    return host->uid
               ? "apt install libvirt-daemon; for the session's daemon nothing is to be started"
               : "apt install libvirt-daemon-system, then systemctl start libvirtd; or "
                 "--set machine.uri=URI";
}

static void libvirt_probe(const struct plan_host *host, struct backend_health *ret)
{
    *ret = (struct backend_health){.can = BACKEND_CAN_PAUSE | BACKEND_CAN_SNAPSHOT_FILES |
                                          BACKEND_CAN_SNAPSHOT_MEMORY | BACKEND_CAN_CLONE};
    const char *uri = libvirt_default_uri(host->uid);
    autofree char *program = module_program(DOMAIN_PROGRAM);
    const char *const argv[] = {program, "probe", uri, NULL};
    autofree char *said = NULL;
    int status = 0;
    struct error e;
    if (access(program, X_OK) < 0) {
        backend_health_add(ret, BACKEND_MISSING, "libvirt", "this build of cofferdam has none",
                           "install libvirt's headers (apt install libvirt-dev) and build anew");
        return;
    }
    autofree char *what = str_format("libvirt (%s)", uri);
    int r = spawn_run(argv, LIBVIRT_PROBE_MS, LIBVIRT_SAID, &status, &said, &e);
    autofree char *text = str_escape_z(said ? str_trim(said) : "");
    if (r == -ETIMEDOUT) {
        backend_health_add(ret, BACKEND_MISSING, what, "its daemon does not answer: it hangs",
                           "systemctl restart libvirtd, or end the session's libvirtd");
    } else if (r < 0 || status != 0) {
        backend_health_add(ret, BACKEND_MISSING, what, r < 0 ? e.text : text, libvirt_mend(host));
    } else {
        ret->usable = true;
        autofree char *well = str_format("%s: %s", what, text);
        backend_health_add(ret, BACKEND_GOOD, well, NULL, NULL);
    }
}

/* Beyond plan_check(): what libvirt itself cannot be told in this version. */
static int libvirt_check(const struct plan *p, const struct plan_host *host, struct error *e)
{
    const char *uri = p->machine.uri;
    if (uri && !p->machine.watched && !str_starts(uri, "qemu:///") &&
        !str_starts(uri, "qemu+unix:///") && !plan_uri_is_far(uri))
        return error_set(e, ENOTSUP,
                         "machine.uri = %s: this version runs machines on QEMU alone, here "
                         "(qemu:///session, qemu:///system, qemu+unix:///…?socket=PATH) or on "
                         "another host (qemu+ssh://HOST/system, qemu+tls://HOST/system)",
                         uri);
    return 0;
}

static int libvirt_prepare(const struct plan *p, int *ret_filter, struct error *e)
{
    *ret_filter = FD_NONE;
    return 0;
}

const struct backend libvirt_backend = {
    .name = "libvirt",
    .summary = "whole machines through libvirt: firmware, disks, any operating system",
    .boundary = PLAN_VM,
    .probe = libvirt_probe,
    .check = libvirt_check,
    .prepare = libvirt_prepare,
};
