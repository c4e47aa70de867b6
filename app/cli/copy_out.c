#include "app/cli/copy_out.h"

#include "app/cli/kept.h"
#include "app/cli/running.h"
#include "base/cancel.h"
#include "base/fd.h"
#include "base/records.h"

#include <sys/wait.h>
#include <unistd.h>

enum { FLUSH_MS = 10000 }; /* a request is a few bytes: a monitor that takes none is stuck */

static void on_done(void *data, uint32_t request, const struct error *e)
{
    struct copy_answer *answer = data;
    answer->over = true;
    if (e)
        answer->error = *e;
}

static void on_closed(void *data, const char *why)
{
    struct copy_answer *answer = data;
    if (!answer->over)
        error_set(&answer->error, ECONNRESET, "the workload ended during the copy");
    answer->over = answer->closed = true;
}

const struct client_events copy_events = {.done = on_done, .closed = on_closed};

void copy_flush(struct client *c)
{
    client_flush(c, FLUSH_MS);
}

void copy_await(struct client *c, struct copy_answer *answer)
{
    while (!answer->over) {
        struct pollfd p = {.fd = client_fd(c),
                           .events = (short)(POLLIN | (client_wants_write(c) ? POLLOUT : 0))};
        int r = cancel_poll(&p, 1, -1);
        if (cancelled)
            r = -ECANCELED;
        if (r < 0 && r != -EINTR) {
            answer->over = true;
            if (r == -ECANCELED)
                error_set(&answer->error, ECANCELED, "given up");
            else
                error_errno(&answer->error, -r, "poll");
            break;
        }
        if (client_dispatch(c) < 0)
            on_closed(answer, NULL);
    }
}

int copy_out_find(const struct dirs *d, const char *word, struct state_record *ret, struct error *e)
{
    struct state_record r;
    if (state_find(d, word, &r, e) < 0)
        return -e->code;
    if (r.phase == STATE_RUNNING || r.phase == STATE_EXITED) {
        *ret = r;
        return 0;
    }
    state_record_done(&r);
    return running_find(d, word, ret, e); /* says why not */
}

int copy_out_open(struct copy_out *o, const struct dirs *d, const struct state_record *record,
                  struct error *e)
{
    *o = (struct copy_out){.record = record, .scratch = FD_NONE};
    if (record->phase == STATE_EXITED) {
        o->scratch = kept_open_scratch(d, record, e);
        return o->scratch < 0 ? error_wrap(e, "%s", record->name) : 0;
    }
    autofree char *path = state_socket_path(d, record->id);
    return client_connect(path, &copy_events, &o->answer, &o->client, e);
}

void copy_out_close(struct copy_out *o)
{
    client_free(o->client);
    o->scratch = fd_close(o->scratch);
}

/* A child of ours sends what was kept. */
static int send_kept(struct copy_out *o, const char *path, const int pair[2], struct error *e)
{
    autoclose int source = FD_NONE;
    autofree char *leaf = NULL;
    char what[256];
    if (kept_find(o->scratch, path, &source, &leaf, e) < 0)
        return error_wrap(e, "%s", o->record->name);
    o->child = fork();
    if (o->child == 0) {
        uint64_t skipped;
        close(pair[0]);
        _exit(records_send(pair[1], source, leaf, what, sizeof(what), &skipped) < 0);
    }
    if (o->child > 0)
        return 0;
    o->child = 0;
    return error_errno(e, errno, "a process to read with");
}

int copy_out_begin(struct copy_out *o, const char *path, int *ret_in, struct error *e)
{
    int pair[2];
    int r = fd_pipe(pair, 0);
    if (r < 0)
        return error_errno(e, -r, "pipe");
    o->answer = (struct copy_answer){0};
    if (o->client) {
        client_copy_out(o->client, path, pair[1]);
        copy_flush(o->client);
    } else {
        r = send_kept(o, path, pair, e);
    }
    close(pair[1]);
    if (r < 0)
        close(pair[0]);
    else
        *ret_in = pair[0];
    return r;
}

int copy_out_end(struct copy_out *o, const char *path, struct error *e)
{
    int status = 0;
    if (o->client) {
        copy_await(o->client, &o->answer);
        *e = o->answer.error.code ? o->answer.error : *e;
        return o->answer.error.code ? error_wrap(e, "%s:%s", o->record->name, path) : 0;
    }
    while (waitpid(o->child, &status, 0) < 0 && errno == EINTR)
        ;
    o->child = 0;
    return status ? error_set(e, EIO, "%s: %s cannot be read whole", o->record->name, path) : 0;
}
