/* cofferdam diff: what a workload changed on its file system, while it lives or after. */
#include "app/cli/kept.h"
#include "app/cli/out.h"
#include "app/cli/report.h"
#include "app/cli/talk.h"
#include "app/cli/verbs.h"
#include "backends/changes_json.h"
#include "base/fd.h"
#include "console/state.h"

enum { DIFF_MOST = 100000 };

/* Asks a living workload's monitor for its layer of changes. */
static int diff_ask(const struct dirs *d, const char *id, int *ret_fd, struct error *e)
{
    struct talk t;
    int r = talk_open(&t, d, id, e);
    if (r == 0)
        r = talk_await(&t, client_ask_changes(t.client), e);
    if (r == 0)
        *ret_fd = TAKE_FD(t.fd);
    talk_close(&t);
    return r;
}

static int diff_open(const struct dirs *d, const struct state_record *r, int *ret_fd,
                     struct error *e)
{
    if (r->phase != STATE_EXITED && r->phase != STATE_LOST)
        return diff_ask(d, r->id, ret_fd, e);
    int fd = kept_open_scratch(d, r, e);
    if (fd < 0)
        return fd;
    *ret_fd = fd;
    return 0;
}

static int diff_read(const struct dirs *d, const char *word, struct changes *ret, struct error *e)
{
    struct state_record record = {0};
    autoclose int fd = FD_NONE;
    int r = state_find(d, word, &record, e);
    if (r < 0)
        return r;
    r = diff_open(d, &record, &fd, e);
    if (r == 0)
        r = changes_read(fd, DIFF_MOST, ret, e);
    if (r < 0) {
        autofree char *shown = str_escape_z(word);
        error_wrap(e, "%.64s", shown);
    }
    state_record_done(&record);
    return r;
}

static int diff_run(struct cli *c)
{
    struct error e;
    struct dirs d = {0};
    struct changes changes;
    if (c->args_count != 1)
        return cli_usage(c, "one workload, please");
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status = 0;
    if (diff_read(&d, c->args[0], &changes, &e) < 0) {
        status = cli_fail(c, &e);
    } else {
        if (c->json)
            out_json(changes_to_json(&changes));
        else
            report_print_changes(stdout, &changes, 0, *out_colour(OUT_BOLD) != '\0');
        changes_done(&changes);
    }
    dirs_done(&d);
    return status;
}

const struct verb verb_diff = {
    .name = "diff",
    .group = "Files",
    .usage = "WORKLOAD",
    .summary = "what a workload changed on its file system, the worst first",
    .flags = VERB_JSON | VERB_WORKLOADS,
    .run = diff_run,
};
