#include "app/cli/new_file.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int new_file_open(struct new_file *f, const char *path, struct error *e)
{
    const char *slash = strrchr(path, '/');
    autofree char *folder = !slash          ? str_dup(".")
                            : slash == path ? str_dup("/")
                                            : str_ndup(path, (size_t)(slash - path));
    struct stat st;
    *f = (struct new_file){.fd = FD_NONE};
    if (lstat(path, &st) == 0)
        return error_set(e, EEXIST, "%s is there already", path);
    f->fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
    if (f->fd >= 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return error_errno(e, errno, "%s", path);
    autofree char *temporary = str_format("%s.part-%d", path, (int)getpid());
    f->fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (f->fd < 0)
        return error_errno(e, errno, "%s", temporary);
    f->temporary = TAKE(temporary);
    return 0;
}

/* Never in place of another; not every file system (NFS) has a rename that knows of that. */
static int give_name(const struct new_file *f, const char *path)
{
    if (renameat2(AT_FDCWD, f->temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL || linkat(AT_FDCWD, f->temporary, AT_FDCWD, path, 0) < 0)
        return -1;
    unlink(f->temporary);
    return 0;
}

int new_file_keep(struct new_file *f, const char *path, struct error *e)
{
    char self[32];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
    if (fsync(f->fd) < 0 ||
        (f->temporary ? give_name(f, path)
                      : linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW)) < 0)
        return error_errno(e, errno, "%s", path);
    free(TAKE(f->temporary));
    return 0;
}

void new_file_done(struct new_file *f)
{
    if (f->temporary)
        unlink(f->temporary);
    free(TAKE(f->temporary));
    f->fd = fd_close(f->fd);
}
