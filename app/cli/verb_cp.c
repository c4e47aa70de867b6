/* cofferdam cp: files between the host and a running workload, as records through a pipe. */
#include "app/cli/copy_out.h"
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

/* One side of the copy. */
struct cp_side {
    char *workload; /* owned; NULL: the host */
    const char *path;
};

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

static int cp_own_error(int r, const char *path, const char *what, struct error *e)
{
    autofree char *shown = str_escape_z(what);
    if (r == -EBADMSG)
        return error_set(e, EBADMSG, "the workload sent nonsense instead of %s", path);
    return error_errno(e, -r, "%s%s%s", path, *shown ? ": " : "", shown);
}

/* --- the two ways
 * ------------------------------------------------------------------------------------ */

static int cp_in(struct client *c, struct copy_answer *answer, const struct cp_side *from,
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
    copy_flush(c);
    close(pair[0]);
    r = records_send(out, dir, leaf, what, sizeof(what), &skipped);
    out = fd_close(out);
    copy_await(c, answer);
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

static int cp_out(const struct dirs *d, const struct state_record *record,
                  const struct cp_side *from, const struct cp_side *to, struct error *e)
{
    struct copy_out o;
    autoclose int dir = FD_NONE, in = FD_NONE;
    autofree char *name = NULL;
    char what[256];
    if (cp_destination(to->path, from->path, &dir, &name, e) < 0)
        return -e->code;
    int r = copy_out_open(&o, d, record, e);
    if (r == 0)
        r = copy_out_begin(&o, from->path, &in, e);
    if (r == 0) {
        struct error theirs = {0};
        int got = cp_receive(in, dir, name, what, sizeof(what));
        in = fd_close(in);
        r = copy_out_end(&o, from->path, &theirs);
        /* a stream that ends too early has its reason in what the other side says */
        if (got < 0 && (r == 0 || (o.client && got != -EBADMSG && got != r)))
            r = cp_own_error(got, to->path, what, e);
        else if (got < 0 && !o.client)
            r = cp_own_error(got, from->path, what, e) < 0 ? error_wrap(e, "%s", record->name) : 0;
        else if (r < 0)
            *e = theirs;
    }
    copy_out_close(&o);
    return r;
}

static int cp_in_running(const struct dirs *d, const struct state_record *record,
                         const struct cp_side *from, const struct cp_side *to, bool follow,
                         struct error *e)
{
    struct copy_answer answer = {0};
    struct client *client = NULL;
    autofree char *path = state_socket_path(d, record->id);
    int r = client_connect(path, &copy_events, &answer, &client, e);
    if (r == 0)
        r = cp_in(client, &answer, from, to, follow, e);
    if (r == 0 && answer.error.code) {
        *e = answer.error;
        r = error_wrap(e, "%s:%s", record->name, to->path);
    }
    client_free(client);
    return r;
}

static int cp_between(const struct cp_side *from, const struct cp_side *to, bool follow,
                      struct error *e)
{
    const char *word = from->workload ? from->workload : to->workload;
    struct state_record record;
    struct dirs d;
    int r = dirs_init(&d, e);
    if (r < 0)
        return r;
    r = from->workload ? copy_out_find(&d, word, &record, e) : running_find(&d, word, &record, e);
    if (r == 0) {
        r = from->workload ? cp_out(&d, &record, from, to, e)
                           : cp_in_running(&d, &record, from, to, follow, e);
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
