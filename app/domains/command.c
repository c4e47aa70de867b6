/* Commands for a guest's own agent, each asked for by a process of its own. */
#include "app/domains/domains.h"

#include "app/domains/say.h"
#include "backends/libvirt/libvirt.h"
#include "base/fd.h"
#include "base/module.h"
#include "base/spawn.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

struct command {
    pid_t pid; /* 0: none */
    int pidfd; /* owned */
    uint32_t console;
};

static struct command commands[16]; /* of the one machine this process drives */

static void command_forget(struct command *c, int *ret_status)
{
    while (waitpid(c->pid, ret_status, 0) < 0 && errno == EINTR)
        ;
    c->pidfd = fd_close(c->pidfd);
    c->pid = 0;
}

/* One that has told all leaves with 0. */
static void on_command_end(int watch, int fd, int events, void *data)
{
    struct command *c = data;
    struct error e;
    int status = 0;
    virEventRemoveHandle(watch);
    command_forget(c, &status);
    if (status == 0)
        return;
    error_set(&e, EIO, "the process that asks its agent was ended; the command may run on");
    domains_say(DOMAIN_EXECED, c->console, 0, &e);
}

static struct command *command_place(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (!commands[i].pid)
            return &commands[i];
    return NULL;
}

static int command_watch(struct command *c, struct error *e)
{
    if (virEventAddHandle(c->pidfd, VIR_EVENT_HANDLE_READABLE, on_command_end, c, NULL) >= 0)
        return 0;
    kill(c->pid, SIGKILL);
    command_forget(c, NULL);
    return domains_error(e, "watching a command");
}

void domains_command(const struct plan *p, const struct domain_message *m,
                     const int fds[DOMAIN_FDS_MAX])
{
    char number[16];
    struct error e = {0};
    snprintf(number, sizeof(number), "%u", m->number);
    autofree char *program = module_program(DOMAIN_PROGRAM);
    const char *const argv[] = {program, "agent", p->machine.uri, p->id, number, NULL};
    const int handed[] = {FD_NONE, FD_NONE, FD_NONE, DOMAIN_FD_CONTROL, fds[0], fds[1], fds[2]};
    struct command *place = command_place();
    const struct spawn s = {
        .argv = argv, .fds = handed, .fds_count = ARRAY_SIZE(handed), .dies_with_us = true};
    int r = fds[2] < 0 ? error_set(&e, EPROTO, "asking for a command without its streams")
            : !place   ? error_set(&e, EAGAIN, "too many commands at once for the guest's agent")
                       : spawn_start(&s, &place->pid, &place->pidfd, &e);
    if (r == 0) {
        place->console = m->number;
        r = command_watch(place, &e);
    }
    if (r < 0)
        domains_say(DOMAIN_EXECED, m->number, 0, &e);
}
