/* What the two halves of a domain's launch share: the domain (launch.c), a guest of ours in it. */
#ifndef COFFERDAM_BACKENDS_LIBVIRT_LAUNCH_INNER_H
#define COFFERDAM_BACKENDS_LIBVIRT_LAUNCH_INNER_H

#include "app/plan/plan.h"
#include "backends/launch.h"
#include "backends/libvirt/wire.h"

struct domain_guest;   /* launch_guest.c */
struct domain_command; /* launch_agent.c */

struct late {
    struct late *next;
    struct domain_message message;
};

struct launch {
    struct plan *plan; /* owned */
    char *text;        /* owned; the plan as it came */
    size_t size;
    char *command; /* owned */
    struct launch_wishes wishes;
    struct launch_env env; /* its descriptors are borrowed */
    char **shortfalls;     /* owned */

    pid_t helper; /* 0: none, or reaped */
    int helper_end; /* owned; its pidfd */
    int control;  /* owned */
    int far_agent; /* owned; cofferdam-domain's end, until that is born; FD_NONE */
    pid_t pid;    /* QEMU's; 0: not known */
    int pidfd;    /* owned; QEMU's, where it can be signalled; FD_NONE */
    bool silent, ended, told, cleaned;
    struct error left; /* code 0: nothing, of what the helper had made */
    bool coming; /* on another host, or while disks are copied, and not begun yet */
    struct late *late; /* owned; what came while something else was waited for */
    struct launch_sample sample;
    bool sampled;
    struct domain_command *commands; /* owned; asked of the guest's own agent, not begun yet */
    struct domain_guest *guest; /* owned; NULL: it boots a disk of somebody's */
};

/* launch.c */
int domain_say(struct launch *l, enum domain_word word, uint32_t number, int32_t value,
               const char *path, struct error *e);

int domain_say_with(struct launch *l, enum domain_word word, uint32_t number, const int *fds,
                    size_t count, struct error *e);

/* launch_agent.c: commands through qemu-guest-agent, in a guest that boots its own disk. */
int domain_command(struct launch *l, uint32_t console, const struct launch_exec *x,
                   struct error *e);
void domain_command_answered(struct launch *l, const struct domain_message *m,
                             const struct launch_events *events, void *data);
void domain_command_ended(struct launch *l, const struct domain_message *m,
                          const struct launch_events *events, void *data);
void domain_commands_free(struct launch *l);

/*
 * launch_guest.c: a guest that has our kernel and our PID 1, from its first word to its last. With
 * l->guest NULL each refuses or does nothing.
 */
int domain_guest_begin(struct launch *l, struct error *e); /* while the monitor may still all */
/*
 * Takes both: the agent's channel (FD_NONE: it had one from the begin, on another host) and the
 * serial line, on which its kernel prints.
 */
int domain_guest_meet(struct launch *l, int agent, int kernel, struct error *e);
size_t domain_guest_watch(const struct launch *l, int fds[1]);
void domain_guest_dispatch(struct launch *l, const struct launch_events *events, void *data);
/* The machine is off: 0 to 255; `*why` and `*status` are the machine's, and become the guest's. */
void domain_guest_ended(struct launch *l, int status, const char *why,
                        const struct launch_events *events, void *data);
void domain_guest_done(struct launch *l); /* but for what it changed */
void domain_guest_free(struct launch *l);

int domain_exec(struct launch *l, uint32_t console, const struct launch_exec *x, struct error *e);
void domain_guest_paused(struct launch *l, bool paused);
int domain_guest_signal(struct launch *l, uint32_t console, int signo, struct error *e);
int domain_resize(struct launch *l, uint32_t console, uint16_t rows, uint16_t cols);
int domain_copy_in(struct launch *l, uint32_t transfer, const char *path, int fd, struct error *e);
int domain_copy_out(struct launch *l, uint32_t transfer, const char *path, int fd, struct error *e);
int domain_ask_changes(struct launch *l, uint32_t request, struct error *e);
const char *domain_told_changes(const struct launch *l);

#endif
