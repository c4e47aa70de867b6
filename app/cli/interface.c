#include "app/cli/interface.h"

#include "app/cli/verbs.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "ui/model.h"

#include <string.h>
#include <unistd.h>

/* `args` with `first` before them; the vector alone is owned by the caller. */
static const char **interface_argv(const char *first, const char *const *args)
{
    size_t count = 0;
    while (args[count])
        count++;
    const char **argv = mem_zero(count + 2, sizeof(char *));
    argv[0] = first;
    memcpy(argv + 1, args, count * sizeof(*args));
    return argv;
}

/* A verb beside us: a session of its own, so that nothing it does reaches our terminal. */
static int interface_start(const char *const *args, int socket, bool mute, int *ret_output,
                           int *ret_pidfd, struct error *e)
{
    autofree const char **argv = interface_argv("/proc/self/exe", args);
    int pair[2];
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return error_errno(e, -r, "pipe");
    autoclose int reads = pair[0];
    autoclose int writes = pair[1];
    const int fds[] = {FD_NONE, writes, mute ? FD_NONE : writes, [INTERFACE_FD] = socket};
    struct spawn s = {
        .argv = argv,
        .fds = fds,
        .fds_count = socket < 0 ? INTERFACE_FD : INTERFACE_FD + 1,
        .new_session = true,
    };
    pid_t pid;
    r = spawn_start(&s, &pid, ret_pidfd, e);
    if (r < 0)
        return r;
    *ret_output = TAKE_FD(reads);
    return 0;
}

static int interface_program(const char *const *args, int *ret_output, int *ret_pidfd,
                             struct error *e)
{
    return interface_start(args, FD_NONE, false, ret_output, ret_pidfd, e);
}

static int interface_reporter(const char *const *args, int *ret_output, int *ret_pidfd,
                              struct error *e)
{
    return interface_start(args, FD_NONE, true, ret_output, ret_pidfd, e);
}

static int interface_foreground(const char *const *args, int *ret_said, int *ret_pidfd,
                                struct error *e)
{
    autofree const char **argv = interface_argv("/proc/self/exe", args);
    int pair[2];
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return error_errno(e, -r, "pipe");
    autoclose int reads = pair[0], writes = pair[1];
    const int fds[] = {STDIN_FILENO, STDOUT_FILENO, writes};
    struct spawn s = {.argv = argv, .fds = fds, .fds_count = ARRAY_SIZE(fds)};
    pid_t pid;
    r = spawn_start(&s, &pid, ret_pidfd, e);
    if (r == 0)
        *ret_said = TAKE_FD(reads);
    return r;
}

static int interface_launch(const char *const *args, int rows, int cols, int *ret_output,
                            int *ret_pidfd, int *ret_socket, struct error *e)
{
    const struct interface_size size = {(uint16_t)rows, (uint16_t)cols};
    autofree const char **launch = interface_argv("launch", args);
    autofree const char **argv = interface_argv("task", launch);
    int pair[2];
    int r = fd_socketpair(pair);
    if (r < 0)
        return error_errno(e, -r, "cannot make a connection");
    autoclose int ours = pair[0], theirs = pair[1];
    r = fd_write_full(ours, &size, sizeof(size));
    if (r < 0)
        return error_errno(e, -r, "cannot say how large its console is");
    r = interface_start(argv, theirs, false, ret_output, ret_pidfd, e);
    if (r == 0)
        *ret_socket = TAKE_FD(ours);
    return r;
}

/* A verb's words for completion; never freed: the interface has them to its end. */
static const char *const *interface_words(const struct verb *v)
{
    char **words = mem_zero(1, sizeof(char *));
    for (size_t i = 0; v->subverbs && v->subverbs[i]; i++)
        strv_add(&words, v->subverbs[i]);
    for (const struct option_row *row = v->options; row && row->name; row++)
        strv_take(&words, str_format("--%s", row->name));
    return (const char *const *)words;
}

const struct ui_host *interface_host(void)
{
    static struct ui_host host = {.program = interface_program,
                                  .reporter = interface_reporter,
                                  .launch = interface_launch,
                                  .foreground = interface_foreground};
    if (host.verbs)
        return &host;
    struct ui_verb *list = mem_zero(verbs_count, sizeof(*list));
    for (size_t i = 0; i < verbs_count; i++)
        if (!(verbs[i]->flags & VERB_HIDDEN))
            list[host.verbs_count++] =
                (struct ui_verb){verbs[i]->name, verbs[i]->summary, interface_words(verbs[i])};
    host.verbs = list;
    return &host;
}
