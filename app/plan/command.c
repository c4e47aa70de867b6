/* What is run, and where it starts. */
#include "app/plan/build.h"

int build_command(struct build *b, struct error *e)
{
    struct plan *p = b->p;
    char *const *argv = b->r->argv;
    if (!argv || !argv[0])
        argv = settings_list(b->s, KEY_WORKLOAD_COMMAND);
    if (b->r->image) {
        build_stored_command(b, argv);
    } else if (argv[0]) {
        p->argv = strv_copy(argv);
    } else if (plan_boots_disk(p)) {
        build_whole_command(b);
    } else {
        /* The caller's own shell is in a root made of the host's; elsewhere nobody knows. */
        strv_add(&p->argv, str_equal(p->image, "host") ? b->host->shell : "/bin/sh");
    }
    const char *workdir = settings_text(b->s, KEY_FILES_WORKDIR);
    p->cwd = str_empty(workdir) ? NULL : build_path_inside(workdir);
    if (!p->cwd && b->r->image) {
        const char *said = str_empty(b->r->image->workdir) ? "/" : b->r->image->workdir;
        autofree char *shown = str_escape(said, strnlen(said, 200));
        if (*said != '/')
            return error_set(e, EINVAL,
                             "the image's working directory %s is not absolute; mend: --workdir /",
                             shown);
        p->cwd = build_path_of_image(said);
    }
    if (!p->cwd)
        p->cwd = str_dup(p->home);
    if (!p->argv[0][0])
        return error_set(e, EINVAL, "the command is an empty word");

    const char *terminal = settings_text(b->s, KEY_CONSOLE_TERMINAL);
    /* a serial line is a terminal */
    p->terminal = str_equal(terminal, "yes") ||
                  (!str_equal(terminal, "no") && (b->r->terminal_wanted || plan_boots_disk(p)));
    return 0;
}
