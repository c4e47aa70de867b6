#include "app/cli/edit.h"

#include "base/file.h"
#include "base/spawn.h"
#include "profiles/entries.h"
#include "profiles/forms.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs the person's editor on the file and waits. VISUAL and EDITOR may hold arguments. */
static int edit_run(const char *path, struct error *e)
{
    const char *editor = getenv("VISUAL");
    if (str_empty(editor))
        editor = getenv("EDITOR");
    autostrv char **argv = strv_split(str_empty(editor) ? "vi" : editor, " \t");
    strv_add(&argv, path);
    /* what went wrong may go elsewhere than the terminal; the editor does not */
    const int fds[] = {STDIN_FILENO, STDOUT_FILENO,
                       isatty(STDERR_FILENO) ? STDERR_FILENO : STDOUT_FILENO};
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
static int edit_check(const struct edit_kind *k, const char *path, const char *name,
                      struct error *e)
{
    autofree char *text = NULL;
    size_t size;
    int r = file_read(AT_FDCWD, path, ENTRIES_FILE_MAX, &text, &size);
    if (r < 0)
        return error_errno(e, -r, "%s", path);
    struct entries n;
    autofree char *label = str_format("%s.ini", name);
    r = entries_parse(text, size, path, label, k->keys, &n, e);
    if (r < 0)
        return r;
    struct settings s;
    settings_init(&s);
    r = entries_apply(&n, &s, e);
    settings_done(&s);
    entries_done(&n);
    return r;
}

/* A copy of the person's own file, else of the system's, else ours, else a template, as a draft
 * beside it. */
static int edit_draft(const struct profile_path *p, const struct edit_kind *k, const char *name,
                      const char *folder, const char *draft, bool *ret_new, struct error *e)
{
    autofree char *text = NULL;
    autofree char *own = str_format("%s/%s.ini", folder, name);
    size_t size = 0;
    int r = file_make_dirs(folder, 0700);
    if (r < 0)
        return error_errno(e, -r, "%s", folder);
    if (access(draft, F_OK) == 0) { /* what an earlier edit left because it could not be read */
        *ret_new = false;
        return 0;
    }
    r = file_read(AT_FDCWD, own, ENTRIES_FILE_MAX, &text, &size);
    for (int i = 1; r == -ENOENT && i >= 0; i--) { /* the system's, then the one we come with */
        autofree char *other = str_format("%s/%s/%s.ini", p->dirs[i], k->folder, name);
        r = file_read(AT_FDCWD, other, ENTRIES_FILE_MAX, &text, &size);
    }
    if (r == -ENOENT) {
        text = str_dup(k->template);
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

/* The line an error names ("PATH:12: …"), as it stands there. */
static void edit_line(const char *path, const char *error)
{
    const char *at = strstr(error, path);
    autofree char *text = NULL;
    size_t size;
    unsigned long line = at ? strtoul(at + strlen(path) + (at[strlen(path)] == ':'), NULL, 10) : 0;
    if (!line || file_read(AT_FDCWD, path, ENTRIES_FILE_MAX, &text, &size) < 0)
        return;
    const char *from = text;
    for (unsigned long i = 1; i < line && from; i++)
        from = (from = strchr(from, '\n')) ? from + 1 : NULL;
    if (!from)
        return;
    autofree char *raw = str_ndup(from, strcspn(from, "\n"));
    autofree char *shown = str_escape_z(raw);
    fprintf(stderr, "%6lu | %s\n", line, shown);
}

int edit_file(const struct cli *c, const struct profile_path *p, const struct edit_kind *k,
              const char *name)
{
    struct error e;
    if (!form_is_name(name))
        return cli_usage(c, "edit: a name has letters, digits, '_', '-' and '.'");
    autofree char *folder = str_join_path(p->dirs[2], k->folder);
    autofree char *draft = str_format("%s/%s.ini.edit", folder, name);
    autofree char *file = str_format("%s/%s.ini", folder, name);
    bool new = false;
    if (edit_draft(p, k, name, folder, draft, &new, &e) < 0)
        return cli_fail(c, &e);
    if (edit_run(draft, &e) < 0) {
        if (new)
            unlink(draft);
        return cli_fail(c, &e);
    }
    if (edit_check(k, draft, name, &e) < 0) {
        cli_fail(c, &e);
        edit_line(draft, e.text);
        error_set(&e, EINVAL, "the draft stays in %s; edit again to mend it", draft);
        return cli_fail(c, &e);
    }
    if (rename(draft, file) < 0) {
        error_errno(&e, errno, "%s", file);
        return cli_fail(c, &e);
    }
    return 0;
}
