#include "app/cli/changed.h"

#include "app/cli/kept.h"
#include "app/cli/talk.h"
#include "backends/changes_json.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#include <fcntl.h>

enum { LIST_MOST = 100000, REPORT_MOST = 64 << 20 };

/* A list, as a guest's monitor or a report has it. */
static int parse(const json_t *o, struct changes *ret, struct error *e)
{
    return changes_from_json(o, ret) < 0 ? error_set(e, EBADMSG, "its changes cannot be read") : 0;
}

/* Asks a living workload's monitor for its layer of changes, or for a list of them. */
static int ask(const struct dirs *d, const char *id, struct changes *ret, struct error *e)
{
    struct talk t;
    int r = talk_open(&t, d, id, e);
    if (r == 0)
        r = talk_await(&t, client_ask_changes(t.client), e);
    if (r == 0 && t.report) {
        json_t *o = json_loads(t.report, JSON_REJECT_DUPLICATES, NULL);
        r = parse(o, ret, e);
        json_decref(o);
    } else if (r == 0) {
        r = changes_read(t.fd, LIST_MOST, ret, e);
    }
    talk_close(&t);
    return r;
}

/* Of a machine the files are gone, and its report has what was changed. */
static int reported(const struct dirs *d, const struct state_record *r, struct changes *ret)
{
    autofree char *path = str_format("%s/workloads/%s/report", d->state, r->id), *text = NULL;
    struct error ignored;
    if (file_read(AT_FDCWD, path, REPORT_MOST, &text, NULL) < 0)
        return -ENOENT;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    int got = parse(json_object_get(o, "changes"), ret, &ignored);
    json_decref(o);
    return got;
}

int changed_list(const struct dirs *d, const struct state_record *r, struct changes *ret,
                 struct error *e)
{
    if (r->phase != STATE_EXITED && r->phase != STATE_LOST)
        return ask(d, r->id, ret, e);
    autoclose int fd = kept_open_scratch(d, r, e);
    if (fd >= 0)
        return changes_read(fd, LIST_MOST, ret, e);
    return reported(d, r, ret) == 0 ? 0 : fd;
}
