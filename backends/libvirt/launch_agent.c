/*
 * A further command in a guest that boots its own disk, where qemu-guest-agent runs in it: without
 * a terminal and without input, and what it says comes at its end. So the agent has it.
 */
#include "backends/libvirt/launch_inner.h"

#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <unistd.h>

enum {
    COMMAND_MOST = 60000, /* less than a pipe holds */
    COMMAND_LOST = 125,   /* its status where nobody will know that */
};

struct domain_command {
    struct domain_command *next;
    uint32_t console;
    struct launch_streams streams; /* owned; until it has started */
    bool started;
};

static void command_string(struct buf *b, const char *text)
{
    buf_putc(b, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(b, '\\');
        if ((unsigned char)*text < ' ')
            buf_printf(b, "\\u%04x", (unsigned char)*text);
        else
            buf_putc(b, *text);
    }
    buf_putc(b, '"');
}

static void command_list(struct buf *b, const char *name, char *const *list)
{
    buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; list && list[i]; i++) {
        if (i)
            buf_putc(b, ',');
        command_string(b, list[i]);
    }
    buf_putc(b, ']');
}

/* The arguments of guest-exec, as qemu-ga-ref(7) has them. */
static char *command_wish(const struct launch_exec *x)
{
    struct buf b = {0};
    buf_puts(&b, "{\"path\":");
    command_string(&b, x->argv[0]);
    command_list(&b, "arg", x->argv + 1);
    if (x->env && x->env[0])
        command_list(&b, "env", x->env);
    buf_puts(&b, ",\"capture-output\":true}");
    return buf_take(&b);
}

static int command_check(const struct launch *l, const struct launch_exec *x, struct error *e)
{
    if (l->plan->machine.watched)
        return error_set(e, EOPNOTSUPP, "this is but the console of %s", l->plan->image);
    if (x->terminal)
        return error_set(e, EOPNOTSUPP,
                         "a guest's own agent gives no terminal: exec --no-tty, or attach to its "
                         "console");
    if (x->user || x->cwd)
        return error_set(e, EOPNOTSUPP,
                         "a guest's own agent runs what it is given as root in /: say \"su\" or "
                         "\"sh -c\" for another");
    return 0;
}

/* Through a pipe, which takes so much at once: who is locked in makes no other files. */
static int command_request(const struct launch_exec *x, int *ret, struct error *e)
{
    int pair[2];
    autofree char *wish = command_wish(x);
    if (strlen(wish) > COMMAND_MOST)
        return error_set(e, E2BIG, "the command is too long for the guest's agent");
    if (fd_pipe(pair, 0) < 0)
        return error_errno(e, errno, "pipes");
    int r = fd_nonblock(pair[1]); /* nobody reads yet, and where pipes are few they are small */
    if (r == 0)
        r = fd_write_full(pair[1], wish, strlen(wish));
    fd_close(pair[1]);
    if (r < 0) {
        fd_close(pair[0]);
        if (r == -EAGAIN)
            return error_set(e, E2BIG, "the command is too long for the pipes this user has left");
        return error_errno(e, -r, "handing the command on");
    }
    *ret = pair[0];
    return 0;
}

/* No input: whoever writes is told that nobody reads. */
static int command_streams(struct launch_streams *s, int theirs[2], struct error *e)
{
    int in[2], out[2], err[2];
    *s = (struct launch_streams){FD_NONE, FD_NONE, FD_NONE, FD_NONE};
    theirs[0] = theirs[1] = FD_NONE;
    if (fd_pipe(in, O_NONBLOCK) < 0)
        return error_errno(e, errno, "pipes");
    fd_close(in[0]);
    s->in = in[1];
    if (fd_pipe(out, 0) < 0)
        return error_errno(e, errno, "pipes");
    s->out = out[0];
    theirs[0] = out[1];
    if (fd_pipe(err, 0) < 0)
        return error_errno(e, errno, "pipes");
    s->err = err[0];
    theirs[1] = err[1];
    fd_nonblock(s->out);
    fd_nonblock(s->err);
    return 0;
}

static void command_close(struct launch_streams *s)
{
    fd_close(s->in);
    fd_close(s->out);
    fd_close(s->err);
}

int domain_command(struct launch *l, uint32_t console, const struct launch_exec *x, struct error *e)
{
    int r = command_check(l, x, e), theirs[2];
    if (r < 0)
        return r;
    struct launch_streams streams;
    autoclose int request = FD_NONE;
    r = command_request(x, &request, e);
    if (r < 0)
        return r;
    r = command_streams(&streams, theirs, e);
    const int fds[] = {request, theirs[0], theirs[1]};
    if (r == 0)
        r = domain_say_with(l, DOMAIN_EXEC, console, fds, ARRAY_SIZE(fds), e);
    fd_close(theirs[0]);
    fd_close(theirs[1]);
    if (r < 0) {
        command_close(&streams);
        return r;
    }
    struct domain_command *c = NEW(struct domain_command);
    *c = (struct domain_command){.next = l->commands, .console = console, .streams = streams};
    l->commands = c;
    return 0;
}

/* NULL: there is none that has not ended. */
static struct domain_command **command_find(struct launch *l, uint32_t console)
{
    for (struct domain_command **at = &l->commands; *at; at = &(*at)->next)
        if ((*at)->console == console)
            return at;
    return NULL;
}

static void command_drop(struct domain_command **at)
{
    struct domain_command *c = *at;
    *at = c->next;
    command_close(&c->streams);
    free(c);
}

void domain_command_answered(struct launch *l, const struct domain_message *m,
                             const struct launch_events *events, void *data)
{
    struct domain_command **at = command_find(l, m->number), *c = at ? *at : NULL;
    if (!c)
        return;
    if (m->error.code) {
        bool started = c->started;
        command_drop(at);
        if (started)
            events->exited(data, m->number, COMMAND_LOST);
        else
            events->failed(data, m->number, &m->error);
    } else if (!c->started) {
        struct launch_streams streams = c->streams;
        c->streams = (struct launch_streams){FD_NONE, FD_NONE, FD_NONE, FD_NONE};
        c->started = true;
        events->started(data, c->console, m->value, &streams);
    }
}

void domain_command_ended(struct launch *l, const struct domain_message *m,
                          const struct launch_events *events, void *data)
{
    struct domain_command **at = command_find(l, m->number);
    if (!at)
        return;
    command_drop(at);
    events->exited(data, m->number, m->value);
}

void domain_commands_free(struct launch *l)
{
    while (l->commands)
        command_drop(&l->commands);
}
