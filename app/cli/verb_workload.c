/* cofferdam workload: files that name a profile and a command, to be run again and again. */
#include "app/cli/out.h"
#include "app/cli/settings_show.h"
#include "app/cli/verbs.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"
#include "profiles/entries.h"
#include "profiles/forms.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const subverbs[] = {"list", "show", "edit", NULL};

static const struct option_row options[] = {
    {"resolved", 'r', NULL, "show: every key, and where each value came from", NULL},
    {"quiet",      'q', NULL, "list: names alone", NULL},
    {0     },
};

static const char template[] =
    "# What the keys mean: man cofferdam.ini. Start it with: cofferdam run --workload NAME\n"
    "\n"
    "[workload]\n"
    "profile = " PROFILE_OF_RUN "\n"
    "command = \n";

static int workload_show(const struct cli *c, const struct profile_path *p, const char *name)
{
    struct settings s;
    struct error e;
    settings_init(&s);
    int status = 0;
    if (workload_load(p, name, &s, &e) < 0)
        status = cli_fail(c, &e);
    else
        settings_show(c, "workload", name, KEY_IN_PROFILE | KEY_IN_WORKLOAD, &s);
    settings_done(&s);
    return status;
}

/* Runs the person's editor on the file and waits. VISUAL and EDITOR may hold arguments. */
static int workload_run_editor(const char *path, struct error *e)
{
    const char *editor = getenv("VISUAL");
    if (str_empty(editor))
        editor = getenv("EDITOR");
    autostrv char **argv = strv_split(str_empty(editor) ? "vi" : editor, " \t");
    strv_add(&argv, path);
    const int fds[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    struct spawn s = {.argv = (const char *const *)argv, .fds = fds, .fds_count = 3};
    pid_t pid;
    int r = spawn_start(&s, &pid, NULL, e);
    if (r < 0)
        return r;
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(e, errno, "%s", argv[0]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(e, ECANCELED, "%s failed; nothing was changed", argv[0]);
    return 0;
}

/* Whether the draft itself can be read; the profile it names may come later. */
static int workload_check_draft(const char *path, const char *name, struct error *e)
{
    autofree char *text = NULL;
    size_t size;
    int r = file_read(AT_FDCWD, path, ENTRIES_FILE_MAX, &text, &size);
    if (r < 0)
        return error_errno(e, -r, "%s", path);
    struct entries n;
    autofree char *label = str_format("%s.ini", name);
    r = entries_parse(text, size, path, label, KEY_IN_WORKLOAD, &n, e);
    if (r < 0)
        return r;
    struct settings s;
    settings_init(&s);
    r = entries_apply(&n, &s, e);
    settings_done(&s);
    entries_done(&n);
    return r;
}

/* A copy of the person's own file, else of the system's, else a template, as a draft beside it. */
static int workload_make_draft(const struct profile_path *p, const char *name, const char *folder,
                               const char *draft, bool *ret_new, struct error *e)
{
    autofree char *text = NULL;
    autofree char *own = str_format("%s/%s.ini", folder, name);
    autofree char *system = str_format("%s/workloads/%s.ini", p->dirs[1], name);
    size_t size = 0;
    int r = file_make_dirs(folder, 0700);
    if (r < 0)
        return error_errno(e, -r, "%s", folder);
    if (access(draft, F_OK) == 0) { /* what an earlier edit left because it could not be read */
        *ret_new = false;
        return 0;
    }
    r = file_read(AT_FDCWD, own, ENTRIES_FILE_MAX, &text, &size);
    if (r == -ENOENT)
        r = file_read(AT_FDCWD, system, ENTRIES_FILE_MAX, &text, &size);
    if (r == -ENOENT) {
        text = str_dup(template);
        size = strlen(text);
    } else if (r < 0) {
        return error_errno(e, -r, "%s", own);
    }
    r = file_write_whole(AT_FDCWD, draft, text, size, 0600, false);
    if (r < 0)
        return error_errno(e, -r, "%s", draft);
    *ret_new = true;
    return 0;
}

static int workload_edit(const struct cli *c, const struct profile_path *p, const char *name)
{
    struct error e;
    if (!form_is_name(name))
        return cli_usage(c, "edit: a name has letters, digits, '_', '-' and '.'");
    autofree char *folder = str_join_path(p->dirs[2], "workloads");
    autofree char *draft = str_format("%s/%s.ini.edit", folder, name);
    autofree char *file = str_format("%s/%s.ini", folder, name);
    bool new = false;
    if (workload_make_draft(p, name, folder, draft, &new, &e) < 0)
        return cli_fail(c, &e);
    if (workload_run_editor(draft, &e) < 0) {
        if (new)
            unlink(draft);
        return cli_fail(c, &e);
    }
    if (workload_check_draft(draft, name, &e) < 0) {
        cli_fail(c, &e);
        error_set(&e, EINVAL, "the draft stays in %s; edit again to mend it", draft);
        return cli_fail(c, &e);
    }
    if (rename(draft, file) < 0) {
        error_errno(&e, errno, "%s", file);
        return cli_fail(c, &e);
    }
    return 0;
}

static int workload_run(struct cli *c)
{
    bool list = str_equal(c->args[0], "list");
    if (c->args_count != (list ? 1 : 2))
        return cli_usage(c, list ? "list: takes no name" : "%s: name one workload file",
                         c->args[0]);
    struct profile_path p = {0};
    struct error e;
    if (profile_path_init(&p, &e) < 0)
        return cli_fail(c, &e);
    int status;
    if (list)
        status = settings_show_list(c, &p, "workloads");
    else if (str_equal(c->args[0], "show"))
        status = workload_show(c, &p, c->args[1]);
    else
        status = workload_edit(c, &p, c->args[1]);
    profile_path_done(&p);
    return status;
}

const struct verb verb_workload = {
    .name = "workload",
    .group = "Profiles",
    .usage = "list|show|edit [OPTION…] [WORKLOAD-FILE]",
    .summary = "list, show and edit workload files",
    .subverbs = subverbs,
    .options = options,
    .flags = VERB_JSON | VERB_SUBVERBS,
    .run = workload_run,
};
