/* cofferdam export: the files a workload changed, as a tar. */
#include "app/cli/changed.h"
#include "app/cli/copy_out.h"
#include "app/cli/new_file.h"
#include "app/cli/verbs.h"
#include "base/cancel.h"

#include <signal.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { NOT_WHOLE = 1 };

/* A workload can say a file is larger than the disk: not all of what is free is for it. */
static uint64_t export_room(int fd)
{
    struct statvfs fs;
    if (fstatvfs(fd, &fs) < 0)
        return 0;
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return free_bytes - free_bytes / 20;
}

/* And more than the disk has in all, on which it wrote, or the memory, is but holes in a pipe. */
static uint64_t export_pipe_room(const struct dirs *d)
{
    struct statvfs fs;
    struct sysinfo memory;
    if (statvfs(d->state, &fs) < 0 || sysinfo(&memory) < 0)
        return 0;
    return (uint64_t)fs.f_blocks * fs.f_frsize +
           (uint64_t)(memory.totalram + memory.totalswap) * memory.mem_unit;
}

static int export_file(const struct dirs *d, const struct state_record *r, const char *path,
                       struct changed_counts *ret, struct error *e)
{
    struct new_file f;
    if (str_equal(path, "-"))
        return changed_tar(d, r, STDOUT_FILENO, export_pipe_room(d), ret, e);
    int result = new_file_open(&f, path, e);
    if (result == 0)
        result = changed_tar(d, r, f.fd, export_room(f.fd), ret, e);
    if (result == 0)
        result = new_file_keep(&f, path, e);
    new_file_done(&f);
    return result;
}

static int export_tell(const char *path, const struct changed_counts *n)
{
    uint64_t named = strv_length(n->why);
    FILE *to = str_equal(path, "-") ? stderr : stdout;
    fprintf(to, "%llu changed file%s", (unsigned long long)n->files, n->files == 1 ? "" : "s");
    if (n->deleted)
        fprintf(to, ", %llu deleted", (unsigned long long)n->deleted);
    if (n->special)
        fprintf(to, "; left out: %llu of special kinds", (unsigned long long)n->special);
    if (n->gone)
        fprintf(to, "; %llu gone by then", (unsigned long long)n->gone);
    if (n->unseen)
        fprintf(to, "; %llu could not be looked at", (unsigned long long)n->unseen);
    if (n->lacking)
        fprintf(to, "; not whole: %llu left out", (unsigned long long)n->lacking);
    if (n->cut)
        fputs("; not whole: more were changed than are listed", to);
    fputc('\n', to);
    fflush(to);
    for (uint64_t i = 0; i < named; i++) {
        autofree char *shown = str_escape_z(n->why[i]);
        fprintf(stderr, "cofferdam export: left out: %s\n", shown);
    }
    if (n->lacking > named)
        fprintf(stderr, "cofferdam export: left out: %llu more\n",
                (unsigned long long)(n->lacking - named));
    return n->lacking || n->unseen || n->cut ? NOT_WHOLE : 0;
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
    if (r < 0)
        return cli_fail(c, &e);
    int status = export_tell(c->args[1], &counts);
    changed_counts_done(&counts);
    return status;
}

const struct verb verb_export = {
    .name = "export",
    .group = "Files",
    .usage = "WORKLOAD FILE|-",
    .summary = "write the files a workload changed to a tar, also after its end",
    .flags = VERB_WORKLOADS,
    .run = export_run,
};
