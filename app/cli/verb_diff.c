/* cofferdam diff: what a workload changed on its file system, while it lives or after. */
#include "app/cli/kept.h"
#include "app/cli/out.h"
#include "app/cli/report.h"
#include "app/cli/talk.h"
#include "app/cli/verbs.h"
#include "backends/changes_json.h"
#include "base/fd.h"
#include "base/file.h"
#include "console/state.h"

#include <fcntl.h>

enum { DIFF_MOST = 100000, DIFF_REPORT = 64 << 20 };

/* A list, as a guest's monitor or a report has it. */
static int diff_parse(const json_t *o, struct changes *ret, struct error *e)
{
    return changes_from_json(o, ret) < 0 ? error_set(e, EBADMSG, "its changes cannot be read") : 0;
}

/* Asks a living workload's monitor for its layer of changes, or for a list of them. */
static int diff_ask(const struct dirs *d, const char *id, struct changes *ret, struct error *e)
{
    struct talk t;
    int r = talk_open(&t, d, id, e);
    if (r == 0)
        r = talk_await(&t, client_ask_changes(t.client), e);
    if (r == 0 && t.report) {
        json_t *o = json_loads(t.report, JSON_REJECT_DUPLICATES, NULL);
        r = diff_parse(o, ret, e);
        json_decref(o);
    } else if (r == 0) {
        r = changes_read(t.fd, DIFF_MOST, ret, e);
    }
    talk_close(&t);
    return r;
}

/* Of a machine the files are gone, and its report has what was changed. */
static int diff_reported(const struct dirs *d, const struct state_record *r, struct changes *ret)
{
    autofree char *path = str_format("%s/workloads/%s/report", d->state, r->id), *text = NULL;
    struct error ignored;
    if (file_read(AT_FDCWD, path, DIFF_REPORT, &text, NULL) < 0)
        return -ENOENT;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    int got = diff_parse(json_object_get(o, "changes"), ret, &ignored);
    json_decref(o);
    return got;
}

static int diff_of(const struct dirs *d, const struct state_record *r, struct changes *ret,
                   struct error *e)
{
    if (r->phase != STATE_EXITED && r->phase != STATE_LOST)
        return diff_ask(d, r->id, ret, e);
    autoclose int fd = kept_open_scratch(d, r, e);
    if (fd >= 0)
        return changes_read(fd, DIFF_MOST, ret, e);
    return diff_reported(d, r, ret) == 0 ? 0 : fd;
}

static int diff_read(const struct dirs *d, const char *word, struct changes *ret, struct error *e)
{
    struct state_record record = {0};
    int r = state_find(d, word, &record, e);
    if (r < 0)
        return r;
    r = diff_of(d, &record, ret, e);
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
