#include "backends/microvm/vmm_serving.h"

#include "backends/microvm/vmm_call.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Nobody else gets into the folder; and the queue has room for one. */
static int serving_listen(int folder, struct error *e)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/" VMM_SHARE_TAG, folder);
    autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 0) < 0)
        return error_errno(e, errno, "a socket for virtiofsd");
    return TAKE_FD(fd);
}

int vmm_serving_pair(int folder, int ret_pair[2], struct error *e)
{
    autoclose int listener = serving_listen(folder, e);
    if (listener < 0)
        return listener;
    int ours = vmm_connect(folder, VMM_SHARE_TAG);
    unlinkat(folder, VMM_SHARE_TAG, 0);
    if (ours < 0)
        return error_errno(e, -ours, "a channel to virtiofsd");
    ret_pair[0] = TAKE_FD(listener);
    ret_pair[1] = ours;
    return 0;
}

void vmm_serving_init(struct vmm_serving *s)
{
    *s = (struct vmm_serving){.errors = FD_NONE};
}

static int serving_one(const struct plan *p, const struct vmm_wish *w, unsigned share, int listener,
                       int errors, struct vmm_server *ret, struct error *e)
{
    autoclose int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0)
        return error_errno(e, errno, "/dev/null");
    const int fds[VMM_SERVER_FDS] = {nothing, errors, errors, listener};
    autostrv char **argv = vmm_serving_argv(p);
    struct plan *jail = vmm_jail_serving(p, share);
    struct root_ids ids = *w->ids; /* a shallow copy: it owns nothing */
    if (p->map_by == PLAN_MAP_SELF) {
        ids.uid_map[0].inside = jail->uid;
        ids.gid_map[0].inside = jail->gid;
    }
    struct vmm_wish mine = {.jail = jail,
                            .env = w->env,
                            .ids = &ids,
                            .cgroup = w->cgroup,
                            .program = p->machine.virtiofsd,
                            .argv = argv,
                            .fds = fds,
                            .fds_count = VMM_SERVER_FDS,
                            .serves = true,
                            .memory = FD_NONE};
    int r = vmm_start(&mine, NULL, &ret->pid, &ret->pidfd, e);
    plan_free(jail);
    return r < 0 ? error_wrap(e, "virtiofsd") : 0;
}

int vmm_serving_start(const struct plan *p, const struct vmm_wish *w, const int *listeners,
                      struct vmm_serving *ret, struct error *e)
{
    int errors[2];
    if (!vmm_served(p))
        return 0;
    int r = fd_pipe(errors, O_NONBLOCK); /* who says too much does not wait for us */
    if (r < 0)
        return error_errno(e, -r, "a pipe");
    autoclose int theirs = errors[1];
    ret->errors = errors[0];
    for (unsigned n = vmm_served(p); r == 0 && ret->count < n; ret->count += r == 0)
        r = serving_one(p, w, ret->count, listeners[ret->count], theirs, &ret->list[ret->count], e);
    return r;
}

int vmm_serving_lost(struct vmm_serving *s, int *ret_status)
{
    for (unsigned i = 0; i < s->count; i++) {
        struct vmm_server *one = &s->list[i];
        if (one->pid <= 0 || waitpid(one->pid, ret_status, WNOHANG | __WALL) != one->pid)
            continue;
        one->pid = 0;
        one->pidfd = fd_close(one->pidfd); /* and is watched no more */
        return (int)i;
    }
    return -1;
}

void vmm_serving_end(struct vmm_serving *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (s->list[i].pid <= 0)
            continue;
        vmm_end(s->list[i].pid, s->list[i].pidfd);
        fd_close(s->list[i].pidfd);
    }
    fd_close(s->errors);
    vmm_serving_init(s);
}
