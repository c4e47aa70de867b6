#include "init/init.h"

#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A command: starting while `report` is open, then running until it is reaped. */
struct reap_command {
    pid_t pid;  /* 0: the channel is free */
    int report; /* owned; FD_NONE once it has been exec()ed */
};

struct reap_transfer {
    pid_t pid;  /* 0: free */
    int report; /* owned */
};

static struct reap_command reap_commands[AGENT_CHANNELS_MAX];
static struct reap_transfer reap_transfers[REAP_WATCH_MAX - AGENT_CHANNELS_MAX];
static bool reap_over, reap_main_known;
static int reap_status = 128 + SIGKILL;

/* Copies run as main does; its START is kept up to the user's name. */
static struct agent_command reap_main;
static char reap_main_user[256];

/*
 * Forks with a socket for the child's report. 0 in the child, whose end is `*ret`; else the pid,
 * and `*ret` is ours. Nobody else ever has the child's end, so its hang-up is the child's exec or
 * end.
 */
static pid_t reap_fork(bool command, int *ret)
{
    int pair[2];
    int r = fd_socketpair(pair);
    if (r < 0)
        return r;
    pid_t pid = command && init_hooks ? init_hooks->fork() : fork();
    if (pid < 0)
        r = -errno;
    fd_close(pair[pid == 0 ? 0 : 1]);
    if (pid < 0) {
        fd_close(pair[0]);
        return r;
    }
    *ret = pair[pid == 0 ? 1 : 0];
    return pid;
}

static void reap_keep_main(const struct agent_command *c)
{
    reap_main = *c;
    size_t length = strnlen(c->user, sizeof(reap_main_user) - 1);
    memcpy(reap_main_user, c->user, length);
    reap_main_user[length] = 0;
    reap_main.user = reap_main_user;
    reap_main.cwd = reap_main.strings = NULL;
    reap_main_known = true;
}

int reap_start(const struct agent_frame *f)
{
    struct agent_command c;
    if (f->channel >= AGENT_CHANNELS_MAX || reap_commands[f->channel].pid)
        return -EBADMSG;
    int r = agent_decode_start(f, &c);
    if (r < 0)
        return r;
    if (f->channel == 0)
        reap_keep_main(&c);
    int report;
    pid_t pid = reap_fork(true, &report);
    if (pid == 0)
        command_become(&c, report);
    if (pid < 0)
        wire_send_result(AGENT_FAILED, f->channel, -pid, "fork");
    else
        reap_commands[f->channel] = (struct reap_command){.pid = pid, .report = report};
    return 0;
}

int reap_copy(const struct agent_frame *f, int fd, reap_reader *reader)
{
    autoclose int taken = fd;
    size_t most = sizeof(reap_transfers) / sizeof(reap_transfers[0]);
    if (f->channel >= most || reap_transfers[f->channel].pid || taken < 0 ||
        (!reader && (agent_strings(f->payload, f->size, 1) < 0 || f->payload[0] != '/')))
        return -EBADMSG;
    int report;
    pid_t pid = reap_fork(false, &report);
    if (pid == 0 && reader)
        reader(TAKE_FD(taken), report);
    if (pid == 0)
        copy_run(f->type == AGENT_COPY_IN, f->payload, TAKE_FD(taken), report,
                 reap_main_known ? &reap_main : NULL);
    if (pid < 0)
        wire_send_result(AGENT_COPIED, f->channel, -pid, "fork");
    else
        reap_transfers[f->channel] = (struct reap_transfer){.pid = pid, .report = report};
    return 0;
}

int reap_signal(const struct agent_frame *f)
{
    uint32_t signo;
    if (f->size != sizeof(signo))
        return -EBADMSG;
    memcpy(&signo, f->payload, sizeof(signo));
    if (signo < 1 || signo > 64)
        return -EBADMSG;
    if (f->channel == UINT16_MAX) {
        kill(-1, (int)signo);
        return 0;
    }
    if (f->channel >= AGENT_CHANNELS_MAX)
        return -EBADMSG;
    /* a command that ended while the frame was on its way is no error */
    pid_t pid = reap_commands[f->channel].pid;
    if (pid && kill(-pid, (int)signo) < 0)
        kill(pid, (int)signo);
    return 0;
}

int reap_freeze(const struct agent_frame *f)
{
    if (f->size != 1 || (unsigned char)f->payload[0] > 1)
        return -EBADMSG;
    /*
     * One pass reaches everybody: the kernel lets no fork() complete while a signal is pending. The
     * second is for a process that was being born under another pending signal.
     */
    for (int i = 0; i < 2; i++)
        kill(-1, f->payload[0] ? SIGSTOP : SIGCONT);
    return 0;
}

/* --- what children have to say
 * --------------------------------------------------------------------- */

static void reap_command_ready(uint16_t channel)
{
    struct reap_command *c = &reap_commands[channel];
    struct init_report report;
    int fds[INIT_STREAMS_MAX];
    size_t count = INIT_STREAMS_MAX;
    if (report_receive(c->report, &report, fds, &count) < 0) {
        report.code = EIO;
        strcpy(report.text, "fork");
    }
    c->report = fd_close(c->report);
    if (report.code == 0) {
        uint32_t pid = (uint32_t)c->pid;
        wire_send(AGENT_STARTED, channel, &pid, sizeof(pid), init_hooks ? NULL : fds,
                  init_hooks ? 0 : count);
        if (init_hooks) {
            init_hooks->started(channel, c->pid, fds, count);
            count = 0;
        }
    } else {
        wire_send_result(AGENT_FAILED, channel, report.code, report.text);
        c->pid = 0; /* what is left of it is an orphan like others */
    }
    for (size_t i = 0; i < count; i++)
        fd_close(fds[i]);
}

static void reap_transfer_ready(uint16_t number)
{
    struct reap_transfer *t = &reap_transfers[number];
    struct init_report report;
    size_t none = 0;
    if (report_receive(t->report, &report, NULL, &none) < 0) {
        report.code = EIO;
        strcpy(report.text, "the copying process was ended");
    }
    fd_close(t->report);
    *t = (struct reap_transfer){0};
    if (init_hooks)
        init_hooks->copied(number, report.code, report.text);
    else
        wire_send_result(AGENT_COPIED, number, report.code, report.text);
}

size_t reap_watch(struct pollfd *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < AGENT_CHANNELS_MAX; i++)
        if (reap_commands[i].pid && reap_commands[i].report >= 0)
            ret[count++] = (struct pollfd){.fd = reap_commands[i].report};
    for (size_t i = 0; i < sizeof(reap_transfers) / sizeof(reap_transfers[0]); i++)
        if (reap_transfers[i].pid)
            ret[count++] = (struct pollfd){.fd = reap_transfers[i].report};
    return count;
}

void reap_ready(int fd)
{
    for (uint16_t i = 0; i < AGENT_CHANNELS_MAX; i++)
        if (reap_commands[i].pid && reap_commands[i].report == fd)
            return reap_command_ready(i);
    for (uint16_t i = 0; i < sizeof(reap_transfers) / sizeof(reap_transfers[0]); i++)
        if (reap_transfers[i].pid && reap_transfers[i].report == fd)
            return reap_transfer_ready(i);
}

static void reap_one(pid_t pid, int raw)
{
    int status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    for (uint16_t i = 0; i < AGENT_CHANNELS_MAX; i++) {
        struct reap_command *c = &reap_commands[i];
        if (c->pid != pid)
            continue;
        if (c->report >= 0)
            reap_command_ready(i);
        if (c->pid != pid)
            return; /* it never started */
        c->pid = 0;
        uint32_t value = (uint32_t)status;
        if (init_hooks)
            init_hooks->exited(i, status);
        else
            wire_send(AGENT_EXITED, i, &value, sizeof(value), NULL, 0);
        if (i == 0) {
            reap_over = true;
            reap_status = status;
        }
        return;
    }
}

void reap_children(void)
{
    int raw;
    pid_t pid;
    while ((pid = waitpid(-1, &raw, WNOHANG)) > 0)
        reap_one(pid, raw);
}

bool reap_is_free(uint16_t channel)
{
    return channel < AGENT_CHANNELS_MAX && !reap_commands[channel].pid;
}

void reap_forget(void)
{
    for (size_t i = 1; i < AGENT_CHANNELS_MAX; i++) {
        if (reap_commands[i].pid)
            fd_close(reap_commands[i].report);
        reap_commands[i] = (struct reap_command){.report = FD_NONE};
    }
    for (size_t i = 0; i < sizeof(reap_transfers) / sizeof(reap_transfers[0]); i++) {
        if (reap_transfers[i].pid)
            fd_close(reap_transfers[i].report);
        reap_transfers[i] = (struct reap_transfer){0};
    }
}

bool reap_is_over(int *ret_status)
{
    *ret_status = reap_status;
    return reap_over;
}
