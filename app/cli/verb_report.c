/* cofferdam report: what a workload that has ended did. */
#include "app/cli/out.h"
#include "app/cli/report.h"
#include "app/cli/verbs.h"
#include "backends/seccomp/seccomp_module.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/module.h"
#include "console/state.h"

#include <fcntl.h>

enum { REPORT_MOST = 64 << 20 };

static int report_read(const struct dirs *d, const char *word, char **ret, struct error *e)
{
    struct state_record record = {0};
    int r = state_find(d, word, &record, e);
    if (r < 0)
        return r;
    autofree char *shown = str_escape_z(record.name ? record.name : record.id);
    autofree char *path = str_format("%s/workloads/%s/report", d->state, record.id);
    r = file_read(AT_FDCWD, path, REPORT_MOST, ret, NULL);
    if (r == -ENOENT && record.phase != STATE_EXITED && record.phase != STATE_LOST)
        r = error_set(e, EAGAIN, "%s has not ended yet, and its report is made then; until then: diff, stats", shown);
    else if (r == -ENOENT && record.phase == STATE_LOST)
        r = error_set(e, ENOENT, "%s left no report: its monitor was killed before the end", shown);
    else if (r == -ENOENT)
        r = error_set(e, ENOENT, "%s left no report: it was not kept (--keep always)", shown);
    else if (r < 0)
        error_errno(e, -r, "the report of %s", shown);
    state_record_done(&record);
    return r;
}

/* The monitor knows numbers alone. */
static void report_name_calls(json_t *o)
{
    json_t *list = json_object_get(o, "refused_calls"), *one;
    struct error e;
    size_t i;
    const struct seccomp_module *module =
        json_array_size(list) ? module_open(SECCOMP_MODULE_NAME, SECCOMP_MODULE_TABLE, &e) : NULL;
    if (!module || module->version != SECCOMP_FILE_VERSION)
        return;
    json_array_foreach(list, i, one)
    {
        autofree char *name = module->name((int)json_integer_value(json_object_get(one, "number")));
        if (name)
            json_object_set_new(one, "name", json_string(name));
    }
}

static int report_show(const struct cli *c, const char *text, struct error *e)
{
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(o)) {
        json_decref(o);
        return error_set(e, EBADMSG, "the report is damaged");
    }
    report_name_calls(o);
    if (c->json) {
        out_json(o);
        return 0;
    }
    report_print(stdout, o, *out_colour(OUT_BOLD) != '\0');
    json_decref(o);
    return 0;
}

static int report_run(struct cli *c)
{
    struct error e;
    struct dirs d = {0};
    if (!c->args_count)
        return cli_usage(c, "which workload?");
    if (dirs_init(&d, &e) < 0)
        return cli_fail(c, &e);
    int status = 0;
    for (size_t i = 0; i < c->args_count; i++) {
        autofree char *text = NULL;
        if (report_read(&d, c->args[i], &text, &e) < 0 || report_show(c, text, &e) < 0)
            status = cli_fail(c, &e);
    }
    dirs_done(&d);
    return status;
}

const struct verb verb_report = {
    .name = "report",
    .group = "Watch",
    .usage = "WORKLOAD…",
    .summary = "what a workload that has ended did",
    .flags = VERB_JSON | VERB_WORKLOADS,
    .run = report_run,
};
