/* cofferdam export: the files a workload changed, as a tar. */
#include "app/cli/changed.h"
#include "app/cli/copy_out.h"
#include "app/cli/new_file.h"
#include "app/cli/verbs.h"
#include "base/cancel.h"

#include <signal.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A workload can say a file is larger than the disk: not all of what is free is for it. */
static uint64_t export_room(int fd)
{
    struct statvfs fs;
    if (fstatvfs(fd, &fs) < 0)
        return 0;
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return MAX(free_bytes - free_bytes / 20, 1);
}

static int export_file(const struct dirs *d, const struct state_record *r, const char *path,
                       struct changed_counts *ret, struct error *e)
{
    struct new_file f;
    if (str_equal(path, "-"))
        return changed_tar(d, r, STDOUT_FILENO, 0, ret, e);
    int result = new_file_open(&f, path, e);
    if (result == 0)
        result = changed_tar(d, r, f.fd, export_room(f.fd), ret, e);
    if (result == 0)
        result = new_file_keep(&f, path, e);
    new_file_done(&f);
    return result;
}

static void export_tell(const char *path, const struct changed_counts *n)
{
    FILE *to = str_equal(path, "-") ? stderr : stdout;
    fprintf(to, "%llu changed file%s", (unsigned long long)n->files, n->files == 1 ? "" : "s");
    if (n->deleted)
        fprintf(to, ", %llu deleted", (unsigned long long)n->deleted);
    if (n->special)
        fprintf(to, "; left out: %llu of special kinds", (unsigned long long)n->special);
    if (n->gone)
        fprintf(to, "; %llu gone by then", (unsigned long long)n->gone);
    fputc('\n', to);
}

static int export_run(struct cli *c)
{
    struct dirs d;
    struct error e;
    struct state_record record;
    struct changed_counts counts;
    if (c->args_count != 2)
        return cli_usage(c, "a workload, and where to: FILE or -");
    if (str_equal(c->args[1], "-") && isatty(STDOUT_FILENO))
        return cli_usage(c, "an archive is nothing for a terminal");
    signal(SIGPIPE, SIG_IGN);
    cancel_on_signals();
    int r = dirs_init(&d, &e);
    if (r < 0)
        return cli_fail(c, &e);
    r = copy_out_find(&d, c->args[0], &record, &e);
    if (r == 0) {
        r = export_file(&d, &record, c->args[1], &counts, &e);
        state_record_done(&record);
    }
    dirs_done(&d);
    if (r < 0)
        cancel_end(); /* given up: nothing is left of it */
    if (r == 0)
        export_tell(c->args[1], &counts);
    return r < 0 ? cli_fail(c, &e) : 0;
}

const struct verb verb_export = {
    .name = "export",
    .group = "Files",
    .usage = "WORKLOAD FILE|-",
    .summary = "write the files a workload changed to a tar, also after its end",
    .flags = VERB_WORKLOADS,
    .run = export_run,
};
