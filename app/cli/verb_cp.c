/* cofferdam cp: files between the host and a running workload, as records through a pipe. */
#include "app/cli/kept.h"
#include "app/cli/running.h"
#include "app/cli/verbs.h"
#include "base/fd.h"
#include "base/records.h"
#include "console/client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

// clang-format off
static const struct option_row cp_options[] = {
    {"follow-link", 'L', NULL, "copy what a link given as SOURCE on the host points to", NULL},
    {0},
};
// clang-format on

enum { CP_FLUSH_MS = 10000 }; /* a request is a few bytes: a monitor that takes none is stuck */

/* One side of the copy. */
struct cp_side {
    char *workload; /* owned; NULL: the host */
    const char *path;
};

/* What the monitor said of the transfer. */
struct cp_answer {
    bool over;
    struct error error; /* code 0: well */
};

static void cp_on_done(void *data, uint32_t request, const struct error *e)
{
    struct cp_answer *answer = data;
    answer->over = true;
    if (e)
        answer->error = *e;
}

static void cp_on_closed(void *data, const char *why)
{
    struct cp_answer *answer = data;
    if (!answer->over)
        error_set(&answer->error, ECONNRESET, "the workload ended during the copy");
    answer->over = true;
}

static const struct client_events cp_events = {.done = cp_on_done, .closed = cp_on_closed};

/* "NAME:PATH", unless the colon stands behind a slash or the word begins with a dot. */
static void cp_side_parse(const char *word, struct cp_side *ret)
{
    const char *colon = strchr(word, ':'), *slash = strchr(word, '/');
    *ret = (struct cp_side){.path = word};
    if (!colon || colon == word || word[0] == '.' || (slash && slash < colon))
        return;
    ret->workload = str_ndup(word, (size_t)(colon - word));
    ret->path = colon + 1;
}

/* The last part of a path without its trailing slashes; "." where that is no name. Owned. */
static char *cp_leaf(const char *path)
{
    size_t end = strlen(path);
    while (end && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start && path[start - 1] != '/')
        start--;
    char *leaf = str_ndup(path + start, end - start);
    if (*leaf && strcmp(leaf, "..") != 0)
        return leaf;
    free(leaf);
    return str_dup(".");
}

/* Opens the folder that holds `path`, or, where its leaf is ".", `path` itself. */
static int cp_open_folder(const char *path, const char *leaf, struct error *e)
{
    autofree char *parent = str_dup(path);
    if (strcmp(leaf, ".") != 0) {
        char *end = parent + strlen(parent);
        while (end > parent && end[-1] == '/')
            end--;
        end[-(long)strlen(leaf)] = 0;
    }
    int fd = open(*parent ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(e, errno, "%s", *parent ? parent : ".") : fd;
}

/* Waits for the monitor's word; the workload may take its time, so there is no bound but ours. */
static void cp_await(struct client *c, struct cp_answer *answer)
{
    while (!answer->over) {
        struct pollfd p = {.fd = client_fd(c),
                           .events = (short)(POLLIN | (client_wants_write(c) ? POLLOUT : 0))};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            break;
        if (client_dispatch(c) < 0)
            cp_on_closed(answer, NULL);
    }
}

static int cp_own_error(int r, const char *path, const char *what, struct error *e)
{
    autofree char *shown = str_escape_z(what);
    if (r == -EBADMSG)
        return error_set(e, EBADMSG, "the workload sent nonsense instead of %s", path);
    return error_errno(e, -r, "%s%s%s", path, *shown ? ": " : "", shown);
}

/* --- the two ways
 * ------------------------------------------------------------------------------------ */

static int cp_in(struct client *c, struct cp_answer *answer, const struct cp_side *from,
                 const struct cp_side *to, bool follow, struct error *e)
{
    autofree char *real = follow ? realpath(from->path, NULL) : str_dup(from->path);
    if (!real)
        return error_errno(e, errno, "%s", from->path);
    autofree char *leaf = cp_leaf(real);
    struct stat st;
    autoclose int dir = cp_open_folder(real, leaf, e);
    if (dir < 0)
        return -e->code;
    if (fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(e, errno, "%s", from->path);

    int pair[2];
    char what[256];
    uint64_t skipped = 0;
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return error_errno(e, -r, "pipe");
    autoclose int out = pair[1];
    client_copy_in(c, to->path, pair[0]);
    client_flush(c, CP_FLUSH_MS);
    close(pair[0]);
    r = records_send(out, dir, leaf, what, sizeof(what), &skipped);
    out = fd_close(out);
    cp_await(c, answer);
    if (r < 0 && !(r == -EPIPE && answer->error.code))
        return cp_own_error(r, from->path, what, e);
    if (skipped)
        fprintf(stderr, "cofferdam cp: %llu special file%s left out\n", (unsigned long long)skipped,
                skipped == 1 ? " was" : "s were");
    return 0;
}

/* Where on the host the copy goes: a folder and a name in it. */
static int cp_destination(const char *path, const char *source, int *ret_dir, char **ret_name,
                          struct error *e)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
            return error_errno(e, errno, "%s", path);
        *ret_dir = dir;
        *ret_name = cp_leaf(source);
        return 0;
    }
    if (str_ends(path, "/"))
        return error_set(e, ENOTDIR, "%s is no folder", path);
    autofree char *leaf = cp_leaf(path);
    int dir = cp_open_folder(path, leaf, e);
    if (dir < 0)
        return -e->code;
    *ret_dir = dir;
    *ret_name = TAKE(leaf);
    return 0;
}

/* A workload can say a file is larger than the disk: not all of what is free is for it. */
static uint64_t cp_room(int dir)
{
    struct statvfs fs;
    if (fstatvfs(dir, &fs) < 0)
        return 0;
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return MAX(free_bytes - free_bytes / 20, 1);
}

/*
 * A copy that is interrupted takes back what it has half made: its input ends at once, which is
 * what any other broken copy looks like.
 */
static volatile sig_atomic_t cp_interrupted;
static int cp_input = FD_NONE, cp_nothing = FD_NONE;

static void cp_interrupt(int signo)
{
    cp_interrupted = signo;
    dup2(cp_nothing, cp_input);
}

static int cp_receive(int in, int dir, const char *name, char *what, size_t room)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    int pair[2];
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return r;
    close(pair[1]);
    cp_input = in;
    cp_nothing = pair[0];
    struct sigaction end = {.sa_handler = cp_interrupt}, usual = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &end, NULL);
    r = records_receive(in, dir, name, cp_room(dir), what, room);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        sigaction(signals[i], &usual, NULL);
    cp_nothing = fd_close(cp_nothing);
    if (cp_interrupted)
        raise(cp_interrupted);
    return r;
}

static int cp_out(struct client *c, struct cp_answer *answer, const struct cp_side *from,
                  const struct cp_side *to, struct error *e)
{
    autoclose int dir = FD_NONE;
    autofree char *name = NULL;
    if (cp_destination(to->path, from->path, &dir, &name, e) < 0)
        return -e->code;
    int pair[2];
    char what[256];
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return error_errno(e, -r, "pipe");
    autoclose int in = pair[0];
    client_copy_out(c, from->path, pair[1]);
    client_flush(c, CP_FLUSH_MS);
    close(pair[1]);
    r = cp_receive(in, dir, name, what, sizeof(what));
    in = fd_close(in);
    cp_await(c, answer);
    /* a stream that ends too early has its reason in what the other side says */
    if (r < 0 && !(answer->error.code && (r == -EBADMSG || answer->error.code == -r)))
        return cp_own_error(r, to->path, what, e);
    return 0;
}

/* Out of the changes that were kept of a workload that has ended: a child of ours sends them. */
static int cp_kept(const struct dirs *d, const struct state_record *record,
                   const struct cp_side *from, const struct cp_side *to, struct error *e)
{
    autoclose int dir = FD_NONE, source = FD_NONE, scratch = kept_open_scratch(d, record, e);
    autofree char *name = NULL, *leaf = NULL;
    if (scratch < 0 || kept_find(scratch, from->path, &source, &leaf, e) < 0)
        return error_wrap(e, "%s", record->name);
    if (cp_destination(to->path, from->path, &dir, &name, e) < 0)
        return -e->code;
    int pair[2];
    char what[256];
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return error_errno(e, -r, "pipe");
    autoclose int in = pair[0];
    pid_t child = fork();
    if (child == 0) {
        uint64_t skipped;
        close(pair[0]);
        _exit(records_send(pair[1], source, leaf, what, sizeof(what), &skipped) < 0);
    }
    close(pair[1]);
    if (child < 0)
        return error_errno(e, errno, "a process to read with");
    r = cp_receive(in, dir, name, what, sizeof(what));
    in = fd_close(in);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (r == 0 && status == 0)
        return 0;
    if (status == 0)
        return cp_own_error(r, to->path, what, e);
    cp_own_error(r < 0 ? r : -EIO, from->path, r < 0 ? what : "", e);
    return error_wrap(e, "%s", record->name);
}

static int cp_between(const struct cp_side *from, const struct cp_side *to, bool follow,
                      struct error *e)
{
    const char *word = from->workload ? from->workload : to->workload;
    struct cp_answer answer = {0};
    struct state_record record;
    struct client *client = NULL;
    struct dirs d;
    int r = dirs_init(&d, e);
    if (r < 0)
        return r;
    r = from->workload ? state_find(&d, word, &record, e) : running_find(&d, word, &record, e);
    if (r == 0 && from->workload && record.phase == STATE_EXITED) {
        r = cp_kept(&d, &record, from, to, e);
        state_record_done(&record);
        dirs_done(&d);
        return r;
    }
    if (r == 0 && from->workload && record.phase != STATE_RUNNING) {
        state_record_done(&record);
        r = running_find(&d, word, &record, e); /* says why not */
    }
    if (r == 0) {
        autofree char *path = state_socket_path(&d, record.id);
        r = client_connect(path, &cp_events, &answer, &client, e);
        if (r == 0)
            r = from->workload ? cp_out(client, &answer, from, to, e)
                               : cp_in(client, &answer, from, to, follow, e);
        if (r == 0 && answer.error.code) {
            *e = answer.error;
            r = error_wrap(e, "%s:%s", record.name, from->workload ? from->path : to->path);
        }
        client_free(client);
        state_record_done(&record);
    }
    dirs_done(&d);
    return r;
}

static int cp_run(struct cli *c)
{
    if (c->args_count != 2)
        return cli_usage(c, "a source and a destination are needed");
    struct cp_side from, to;
    cp_side_parse(c->args[0], &from);
    cp_side_parse(c->args[1], &to);
    struct error e;
    int status = 0;
    const char *inside = from.workload ? from.path : to.path;
    if (!from.workload == !to.workload)
        status =
            cli_usage(c, "one of the two has to be WORKLOAD:PATH, the other a path of the host");
    else if (inside[0] != '/')
        status = cli_usage(c, "the path inside has to be absolute: \"%s\"", inside);
    else if (!from.path[0] || !to.path[0])
        status = cli_usage(c, "a path is empty");
    else {
        signal(SIGPIPE, SIG_IGN);
        if (cp_between(&from, &to, cli_switch(c, "follow-link"), &e) < 0)
            status = cli_fail(c, &e);
    }
    free(from.workload);
    free(to.workload);
    return status;
}

const struct verb verb_cp = {
    .name = "cp",
    .group = "Files",
    .usage = "[OPTION…] SOURCE WORKLOAD:PATH | WORKLOAD:PATH DESTINATION",
    .summary = "copy files into a workload, or out of it, also after its end",
    .options = cp_options,
    .run = cp_run,
};
