#include "app/cli/kept.h"

#include "base/fd.h"
#include "base/str.h"
#include "console/snapshots.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <unistd.h>

enum { KEPT_LAYERS_MAX = 64 };

int kept_open_scratch(const struct dirs *d, const struct state_record *r, struct error *e)
{
    autofree char *path = str_format("%s/workloads/%s/scratch", d->state, r->id);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) { /* it may have become a snapshot in the end */
        autofree char *moved = snapshots_files_path(d, r->id);
        fd = open(moved, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0)
        return error_set(e, ENODATA, "it has ended and its changes were not kept (--keep always)");
    return fd;
}

/* What is left of `path` below `folder`, "" for the folder itself, or NULL. */
static const char *kept_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    while (length && folder[length - 1] == '/')
        length--;
    if (strncmp(path, folder, length) != 0 || (path[length] != '/' && path[length] != '\0'))
        return NULL;
    path += length;
    return path + strspn(path, "/");
}

/* The innermost overlay that covers the path has its change; the root has what none covers. */
static const char *kept_place(int scratch, const char *path, char base[static 64])
{
    const char *rest = path + strspn(path, "/");
    snprintf(base, 64, "root");
    for (unsigned n = 0; n < KEPT_LAYERS_MAX; n++) {
        char link[64], target[PATH_MAX];
        snprintf(link, sizeof(link), "layers/%u/target", n);
        ssize_t size = readlinkat(scratch, link, target, sizeof(target) - 1);
        if (size <= 0)
            break;
        target[size] = '\0';
        const char *below = kept_below(path, target);
        if (below && strlen(below) <= strlen(rest)) {
            rest = below;
            snprintf(base, 64, "layers/%u/upper", n);
        }
    }
    return rest;
}

int kept_find(int scratch, const char *path, int *ret_dir, char **ret_name, struct error *e)
{
    char base[64];
    autofree char *rest = str_dup(kept_place(scratch, path, base));
    for (size_t end = strlen(rest); end && rest[end - 1] == '/'; end--)
        rest[end - 1] = '\0';
    char *slash = strrchr(rest, '/');
    const char *name = slash ? slash + 1 : *rest ? rest : ".";
    if (strcmp(name, "..") == 0)
        return error_set(e, EINVAL, "%s ends in \"..\"", path);
    if (slash)
        *slash = '\0';
    autofree char *folder = slash ? str_format("%s/%s", base, rest) : str_dup(base);
    const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    autoclose int dir = fd_openat2(scratch, folder, O_RDONLY | O_DIRECTORY, 0, resolve);
    if (dir == -ELOOP)
        return error_set(e, ELOOP, "%s: a link is on the way, and none is followed", path);
    if (dir == -ENAMETOOLONG)
        return error_set(e, ENAMETOOLONG, "%.300s: the name is too long", path);
    if (dir < 0 || faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return error_set(e, ENOENT, "%s: it changed nothing there, and only changes are kept",
                         path);
    *ret_name = str_dup(name);
    *ret_dir = TAKE_FD(dir);
    return 0;
}
