/*
 * cofferdam-init from the inside: PID 1, so it never exits but on purpose, allocates nothing, and
 * leaves whatever may block or fail in a stranger's file system to children of its own.
 */
#ifndef COFFERDAM_INIT_INIT_H
#define COFFERDAM_INIT_INIT_H

#include "init/agent.h"

#include <signal.h>
#include <sys/types.h>

enum { INIT_STREAMS_MAX = 3, INIT_TEXT_MAX = 320 };

/* --- main.c ------------------------------------------------------------------------------------
 */

/* Every signal waits, and SIGCHLD comes through only inside ppoll() with `*ret_waiting`. */
void main_quiet(sigset_t *ret_waiting);
/* The last part of it alone, for who never had another's. */
void main_listen(sigset_t *ret_waiting);
/* 0, or -errno where the host is gone, asks for the end, or makes no sense. Takes `fd`. */
int main_handle(const struct agent_frame *f, int fd);

/*
 * --- what a guest does otherwise (guest.c); NULL in a container --------------------------------
 */
struct init_hooks {
    /* The streams of a command that runs; takes them. */
    void (*started)(uint16_t channel, pid_t pid, const int *fds, size_t count);
    void (*exited)(uint16_t channel, int status);
    void (*copied)(uint16_t number, int code, const char *text);
    int (*settle)(void);                    /* in a child: copies go into the workload's root */
    pid_t (*fork)(void);                    /* of a command */
    int (*confine)(void);                   /* in a child, before it becomes a command's user */
    ssize_t (*read)(void *to, size_t size); /* -errno; 0: the host is gone */
    int (*write)(const void *from, size_t size);
};
extern const struct init_hooks *init_hooks;

/* --- wire.c: frames over the agent's socket ------------------------------------------------------
 */

/* The next whole frame: 1; 0: none yet; -errno: the host is gone (-EPIPE) or not to be understood.
 * The payload is valid until the next call. A descriptor that came with it is `*ret_fd`, the
 * caller's. */
int wire_read(struct agent_frame *ret, int *ret_fd);
/* Writes a frame with up to INIT_STREAMS_MAX descriptors, waiting for room. A lost host is noticed
 * by reading. */
void wire_send(enum agent_type type, uint16_t channel, const void *payload, uint32_t size,
               const int *fds, size_t fds_count);
/* A payload of an errno and a text, as FAILED and COPIED have. */
void wire_send_result(enum agent_type type, uint16_t channel, int code, const char *text);

/* --- users.c: who a command runs as
 * --------------------------------------------------------------- */

struct init_identity {
    uint32_t uid, gid;
    uint32_t groups[32];
    size_t groups_count;
};

/* Looks "USER[:GROUP]" up in /etc/passwd and /etc/group, as docker does. An unknown numeric user
 * has the group `ret` came with. 0, -ENOENT, or -errno. */
int users_find(const char *text, struct init_identity *ret);
/* Switches for good, and to the capabilities that go with it (init/agent.h). 0 or -errno. */
int users_become(const struct init_identity *who);

/* --- command.c: what the host asked to be run
 * ------------------------------------------------------ */

/* What a child of ours has to say before it becomes somebody else's program, or ends. */
struct init_report {
    int code; /* errno; 0: all is ready, descriptors attached */
    char text[INIT_TEXT_MAX];
};
void report_send(int fd, int code, const char *text, const int *fds, size_t count);
/* The last report of a child that has closed its end. `fds` as in init_report. -EPIPE: it said
 * nothing. */
int report_receive(int fd, struct init_report *ret, int *fds, size_t *count);

/* Who a START asks for. 0, -ENOENT, or -errno. */
int command_identity(const struct agent_command *c, struct init_identity *ret);
/* As execvpe(3), but a file that is no program is no shell script either. Returns -errno. */
int command_exec(char *const *argv, char *const *env);
/* In a child: becomes the command. Reports to `report` if that fails. */
void command_become(const struct agent_command *c, int report) __attribute__((noreturn));

/* --- copy.c
 * ------------------------------------------------------------------------------------------ */

/* In a child: copies between `fd` and `path` as `who`; reports; ends. */
void copy_run(bool in, const char *path, int fd, int report,
              const struct agent_command *main_command) __attribute__((noreturn));

/* --- reap.c: children and channels
 * ------------------------------------------------------------------- */

int reap_start(const struct agent_frame *f); /* 0, -EBADMSG */
/* Takes `fd`. `reader` (NULL: a copy) is called in the child, and ends it. 0, -EBADMSG. */
typedef void reap_reader(int fd, int report);
int reap_copy(const struct agent_frame *f, int fd, reap_reader *reader);
int reap_signal(const struct agent_frame *f); /* 0, -EBADMSG */
int reap_freeze(const struct agent_frame *f); /* 0, -EBADMSG */
void reap_children(void);                     /* after SIGCHLD */
/* Descriptors whose hang-up means a child is ready: fills `ret`, returns how many. */
struct pollfd;
enum { REAP_WATCH_MAX = AGENT_CHANNELS_MAX + 16 };
size_t reap_watch(struct pollfd *ret);
void reap_ready(int fd);
bool reap_is_free(uint16_t channel);
void reap_forget(void); /* nobody asks for what children have to say, but main's exit */
/* Whether main has ended, and how (the shell's number; 128 + SIGKILL before that). */
bool reap_is_over(int *ret_status);

#endif
