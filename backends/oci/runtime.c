#include "backends/oci/runtime.h"

#include "backends/bundle/config.h"

#include "base/str.h"

#include <string.h>

enum oci_kind oci_kind_of(const char *runtime)
{
    static const struct {
        const char *name;
        enum oci_kind kind;
    } names[] = {
        {"crun",  OCI_CRUN },
        {"runc",  OCI_RUNC },
        {"runsc", OCI_RUNSC},
    };
    const char *slash = strrchr(runtime, '/');
    const char *name = slash ? slash + 1 : runtime;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_equal(names[i].name, name))
            return names[i].kind;
    return OCI_OTHER;
}

static void argv_add(char ***argv, const char *const *words)
{
    for (; *words; words++)
        strv_add(argv, *words);
}

#define ADD(argv, ...) argv_add(&(argv), (const char *const[]){__VA_ARGS__, NULL})

/*
 * runsc: what it counts is in our control group; its own overlay would hide the changes; and files
 * that we copy in must be seen at once.
 */
static char **argv_begin(const struct oci_runtime *r)
{
    char **argv = NULL;
    ADD(argv, r->program, "--root", OCI_STATE);
    switch (r->kind) {
    case OCI_CRUN:
        ADD(argv, "--cgroup-manager=disabled");
        break;
    case OCI_RUNC:
    case OCI_OTHER:
        break;
    case OCI_RUNSC:
        /* what it does for the rootless has been done by us, and it denies them some things */
        if (!r->restored && !r->network_private)
            ADD(argv, "--rootless");
        ADD(argv, "--ignore-cgroups", "--file-access=shared");
        ADD(argv, r->network_host      ? "--network=host"
                  : r->network_private ? "--network=sandbox"
                                       : "--network=none");
        if (r->platform)
            ADD(argv, "--platform", r->platform);
        if (!r->old)
            ADD(argv, "--overlay2=none");
        break;
    }
    return argv;
}

static void argv_log(const struct oci_runtime *r, char ***argv)
{
    if (r->kind == OCI_RUNSC && !r->old)
        ADD(*argv, "--panic-log", OCI_PANIC);
    if (r->calls) /* what gVisor refuses is said on this level alone */
        ADD(*argv, "--debug", "--debug-command=boot", "--debug-log", r->calls);
}

char **oci_argv_run(const struct oci_runtime *r, const char *id, const char *console)
{
    char **argv = argv_begin(r);
    argv_log(r, &argv);
    ADD(argv, "run", "--bundle", OCI_BUNDLE, "--pid-file", OCI_PID_FILE);
    if (r->kind != OCI_RUNSC)
        ADD(argv, "--detach");
    if (console)
        ADD(argv, "--console-socket", console);
    ADD(argv, id);
    return argv;
}

char **oci_argv_exec(const struct oci_runtime *r, const char *id, const char *process,
                     const char *console, const char *pid_file)
{
    char **argv = argv_begin(r);
    ADD(argv, "exec", "--detach", "--process", process, "--pid-file", pid_file);
    if (r->kind == OCI_RUNSC) {
        autofree char *inside = str_format("%s" OCI_PID_INSIDE, pid_file);
        ADD(argv, "--internal-pid-file", inside);
    }
    if (console)
        ADD(argv, "--console-socket", console);
    ADD(argv, id);
    return argv;
}

char **oci_argv_kill(const struct oci_runtime *r, const char *id, int signo, long pid_inside)
{
    char **argv = argv_begin(r);
    strv_add(&argv, "kill");
    if (pid_inside > 0 && r->kind == OCI_RUNSC) {
        strv_add(&argv, "--pid");
        strv_take(&argv, str_format("%ld", pid_inside));
    }
    strv_add(&argv, id);
    strv_take(&argv, str_format("%d", signo));
    return argv;
}

char **oci_argv_kill_all(const struct oci_runtime *r, const char *id, int signo)
{
    char **argv = argv_begin(r);
    ADD(argv, "kill", "--all", id);
    strv_take(&argv, str_format("%d", signo));
    return argv;
}

char **oci_argv_simple(const struct oci_runtime *r, const char *verb, const char *id)
{
    char **argv = argv_begin(r);
    ADD(argv, verb, id);
    return argv;
}

char **oci_argv_checkpoint(const struct oci_runtime *r, const char *id)
{
    char **argv = argv_begin(r);
    ADD(argv, "checkpoint", "--image-path=/proc/self/fd/3", "--compression=none", "--leave-running",
        id);
    return argv;
}

char **oci_argv_restore(const struct oci_runtime *r, const char *id, const char *console)
{
    char **argv = argv_begin(r);
    argv_log(r, &argv);
    ADD(argv, "--allow-flag-override", "restore", "--bundle", OCI_BUNDLE, "--pid-file",
        OCI_PID_FILE, "--image-path=/proc/self/fd/3");
    if (console)
        ADD(argv, "--console-socket", console);
    ADD(argv, id);
    return argv;
}

char **oci_argv_inside(const struct oci_runtime *r, const char *id, const char *verb,
                       const char *pid_inside)
{
    char **argv = argv_begin(r);
    ADD(argv, "exec");
    if (pid_inside)
        ADD(argv, "--internal-pid-file", pid_inside);
    ADD(argv, "--user=0:0", "--cap=CAP_SYS_ADMIN", "--cap=CAP_DAC_OVERRIDE", "--cap=CAP_KILL",
        "--cwd=/", id, OCI_INIT_INSIDE, verb);
    return argv;
}

char **oci_argv_delete(const struct oci_runtime *r, const char *id)
{
    char **argv = argv_begin(r);
    ADD(argv, "delete", "--force", id);
    return argv;
}
