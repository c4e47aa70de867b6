/* Copy-in: files of the host as a stream, sent by a process with the rights of whoever asked. */
#include "backends/root/setup.h"
#include "base/fd.h"
#include "base/records.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The person named the path, so links in it are theirs to follow; none below it is followed. */
static int copies_open(const char *source, char **ret_name)
{
    autofree char *path = realpath(source, NULL);
    if (!path)
        return -errno;
    char *slash = strrchr(path, '/');
    *ret_name = str_dup(slash[1] ? slash + 1 : ".");
    slash[slash == path ? 1 : 0] = '\0';
    int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -errno : dir;
}

/* A pipe for each: a reader may read ahead. What went wrong later on, the records themselves say.
 */
static int copies_send_one(const struct plan_mount *m, int socket)
{
    autofree char *name = NULL;
    autoclose int dir = copies_open(m->source, &name);
    int pair[2] = {FD_NONE, FD_NONE};
    int code = dir < 0 ? dir : fd_pipe(pair, 0);
    int r = fd_send(socket, &code, sizeof(code), pair, code < 0 ? 0 : 1);
    fd_close(pair[0]);
    autoclose int to = pair[1];
    if (r < 0 || code < 0)
        return -EPIPE;
    char what[512];
    uint64_t skipped;
    return records_send(to, dir, name, what, sizeof(what), &skipped);
}

void root_send_copies(const struct plan *p, int socket)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < p->mounts_count; i++)
        if (p->mounts[i].kind == PLAN_MOUNT_COPY && copies_send_one(&p->mounts[i], socket) < 0)
            return;
}
