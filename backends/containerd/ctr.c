#include "backends/containerd/ctr.h"

#include "base/spawn.h"
#include "base/str.h"

#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CTR_SAID_MAX = 64 * 1024, CTR_MS = 20000 };

char **ctr_argv(const char *address)
{
    const char *const words[] = {"ctr", "--address", address, "--namespace", CTR_NAMESPACE};
    char **argv = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        strv_add(&argv, words[i]);
    return argv;
}

int ctr_run(char **argv, unsigned limit_ms, char **ret_said, struct error *e)
{
    autofree char *said = NULL;
    int status = 0;
    int r = spawn_run((const char *const *)argv, limit_ms, CTR_SAID_MAX, &status, &said, e);
    if (r == 0 && status != 0) {
        autofree char *shown = str_escape_z(str_reason(said));
        r = error_set(e, EIO, "%.300s", *shown ? shown : "ctr failed without a word");
    }
    if (r == 0 && ret_said)
        *ret_said = TAKE(said);
    strv_free(argv);
    return r;
}

static char **ctr_words(const char *address, const char *const *words)
{
    char **argv = ctr_argv(address);
    for (; *words; words++)
        strv_add(&argv, *words);
    return argv;
}
#define CTR(address, ...) ctr_words(address, (const char *const[]){__VA_ARGS__, NULL})

/* Whether `kind` ("tasks", "containers") lists `id`. */
static int ctr_lists(const char *address, const char *kind, const char *id, bool *ret,
                     struct error *e)
{
    autofree char *said = NULL;
    int r = ctr_run(CTR(address, kind, "ls", "--quiet"), CTR_MS, &said, e);
    if (r < 0)
        return r;
    autostrv char **lines = strv_split(said, "\n");
    *ret = lines && strv_has(lines, id);
    return 0;
}

/*
 * The process beside a workload removes it as well when its monitor is gone: whoever comes second
 * finds nothing. A shim that has just died is an error to containerd until it has seen it off, and
 * nothing tells when. `argv` is taken over.
 */
static int ctr_drop(const char *address, const char *kind, const char *id, char **argv,
                    struct error *e)
{
    enum { TRIES = 5, PAUSE_MS = 200 };
    autostrv char **words = argv;
    struct error ignored;
    bool there = true;
    int r = ctr_run(strv_copy(words), CTR_MS, NULL, e);
    for (int i = 1; r < 0 && i < TRIES; i++) {
        if (ctr_lists(address, kind, id, &there, &ignored) == 0 && !there)
            return 0;
        poll(NULL, 0, PAUSE_MS);
        r = ctr_run(strv_copy(words), CTR_MS, NULL, e);
    }
    return r < 0 && ctr_lists(address, kind, id, &there, &ignored) == 0 && !there ? 0 : r;
}

static void ctr_unmount(const char *address, const char *rootfs)
{
    struct error ignored;
    if (umount2(rootfs, UMOUNT_NOFOLLOW) < 0 && errno == EBUSY)
        umount2(rootfs, MNT_DETACH | UMOUNT_NOFOLLOW);
    ctr_run(CTR(address, "snapshots", "rm", rootfs), CTR_MS, NULL, &ignored);
    rmdir(rootfs);
    autofree char *folder = str_dup(rootfs);
    *strrchr(folder, '/') = '\0';
    rmdir(folder);
}

int ctr_remove(const char *address, const char *id, const char *rootfs, struct error *e)
{
    struct error ignored;
    bool task = false, container = false;
    int r = ctr_lists(address, "tasks", id, &task, e);
    if (r == 0 && task) {
        ctr_run(CTR(address, "tasks", "resume", id), CTR_MS, NULL, &ignored);
        r = ctr_drop(address, "tasks", id, CTR(address, "tasks", "rm", "--force", id), e);
    }
    if (r == 0)
        r = ctr_lists(address, "containers", id, &container, e);
    if (r == 0 && container)
        r = ctr_drop(address, "containers", id, CTR(address, "containers", "rm", id), e);
    if (r < 0)
        return error_wrap(e, "containerd's %s", id);
    ctr_unmount(address, rootfs);
    return 0;
}

char *ctr_journal_line(const char *address, const char *id, const char *rootfs)
{
    return str_format("%s %s %s", id, address, rootfs);
}

int ctr_undo(const char *line, struct error *e)
{
    autostrv char **words = strv_split(line, " ");
    bool ours = words && strv_length(words) == 3 && strlen(words[0]) == 12 &&
                strspn(words[0], "0123456789abcdef") == 12 && words[1][0] == '/' &&
                words[2][0] == '/' && str_ends(words[2], "/rootfs") &&
                strstr(words[2], "cofferdam-roots/") && strstr(words[2], words[0]) &&
                !strstr(words[2], "/../");
    if (!ours)
        return error_set(e, EPERM, "this is no container of ours");
    return ctr_remove(words[1], words[0], words[2], e);
}
